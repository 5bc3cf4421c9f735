"""The disk of the ledger's server fills up while the sink writes; the disk is real."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from sixgate.cli.exit_codes import ExitCode
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerUnavailableError
from streams.ledger.migrations import migrate
from tests.harness.broker.ledger_kafka import own_topics
from tests.harness.broker.ledger_servers import as_user
from tests.harness.broker.servers import running, watched
from tests.harness.broker.small_disk import SmallDiskServer
from tests.harness.pipeline.ledger_rig import Rig

TIMES = 2
HALF_WAY = "SELECT throwIf(number = 500000) FROM numbers(1000000)"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("disk-full")
    with (
        watched(folder),
        own_topics() as broker,
        running(lambda: SmallDiskServer(folder / "server"), folder) as server,
    ):
        with closing(ClickHouse.server(as_user(server, "ledger_ddl"))) as clickhouse:
            migrate(clickhouse)
        with closing(Rig(folder, broker, server)) as made:
            yield made


def test_a_full_disk_ends_the_sink_with_one_sentence_and_free_space_lets_it_continue(
    rig: Rig,
) -> None:
    server = rig.server
    assert isinstance(server, SmallDiskServer)
    for _ in range(TIMES):
        sentence = rig.sentence_of_end(server.fill, ExitCode.HALTED)
        assert "disk is full" in sentence
        server.empty()
    assert rig.go_on() == ExitCode.OK


def test_a_full_disk_hides_no_row_from_readers(rig: Rig) -> None:
    """With an empty result, the signer would conclude that its state was not rolled back."""
    server = rig.server
    assert isinstance(server, SmallDiskServer)
    sink = rig.start()
    rig.write(50)
    rows = rig.await_ledger(sink)
    rig.end(sink)
    server.fill()  # not freed: the server's last test
    assert rig.judge.rows() == rows
    with closing(ClickHouse.server(as_user(server, "ledger_reader"))) as clickhouse:
        exported = clickhouse.formatted("SELECT body FROM ledger", "JSONEachRow")
        assert exported.count(b"\n") == rows
        for read in (clickhouse.rows, lambda sql: clickhouse.formatted(sql, "JSONEachRow")):
            with pytest.raises(LedgerUnavailableError):
                read(HALF_WAY)
