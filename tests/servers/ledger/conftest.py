"""Ledgers for the tests of this folder, on both engines: the contract is the same."""

from collections.abc import Callable, Iterator

import pytest

from infra.local.clickhouse import ClickHouse as LocalServer
from streams.ledger.clickhouse import ClickHouse
from tests.harness.broker.ledger_servers import databases, server_with_roles
from tests.harness.broker.servers import running
from tests.harness.builders.ledger import engine


@pytest.fixture(scope="session")
def ledger_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("ledger-server")
    with running(lambda: server_with_roles(folder), folder) as server:
        yield server


@pytest.fixture(scope="module", params=["chdb", "server"])
def fresh(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], ClickHouse]]:
    """Give a migrated database of its own at every call."""
    if request.param == "chdb":
        with engine(tmp_path_factory.mktemp("ledger")) as made:
            yield made
    else:
        with databases(request.getfixturevalue("ledger_server")) as made:
            yield made
