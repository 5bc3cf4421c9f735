"""Fixtures: an organisation on a broker of its own, with and without a ledger on a server."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from streams.ledger.clickhouse import ClickHouse
from streams.ledger.migrations import migrate
from tests.support.embedded import Producer, make_folder
from tests.support.ledger_servers import as_user, server_with_roles
from tests.support.scaled import Scaled
from tests.support.servers import kafka_in, running


@pytest.fixture
def scaled(tmp_path: Path, trader: Producer) -> Iterator[Scaled]:
    with running(lambda: kafka_in(tmp_path / "kafka"), tmp_path / "kafka") as kafka:
        scaled = Scaled(make_folder(tmp_path / "data", [trader.signer]), kafka.address)
        scaled.found()
        yield scaled
        scaled.close()


@pytest.fixture
def scaled_with_ledger(tmp_path: Path, scaled: Scaled) -> Iterator[Scaled]:
    folder = tmp_path / "clickhouse"
    with running(lambda: server_with_roles(folder), folder) as server:
        with closing(ClickHouse.server(as_user(server, "ledger_ddl"))) as clickhouse:
            migrate(clickhouse)
        scaled.server = server
        yield scaled
        scaled.close()
