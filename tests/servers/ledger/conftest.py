"""Ledgers for the tests of this folder, on both engines: the contract is the same."""

from collections.abc import Callable, Iterator

import pytest

from streams.ledger.clickhouse import ClickHouse
from tests.harness.broker.ledger_servers import databases
from tests.harness.builders.ledger import engine


@pytest.fixture(scope="module", params=["chdb", "server"])
def fresh(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], ClickHouse]]:
    """Yield a function that makes a new migrated database."""
    if request.param == "chdb":
        with engine(tmp_path_factory.mktemp("ledger")) as made:
            yield made
    else:
        with databases(request.getfixturevalue("ledger_server")) as made:
            yield made
