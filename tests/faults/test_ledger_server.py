"""The sink between real Kafka and ClickHouse servers, under kills, hangs and hostile records.

Every test ends with the same independent check: the chain verifies against every published head,
and every committed record of every topic is in it exactly once, unchanged.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial

import pytest

from schemas.topics import Topic
from sixgate.cli.exit_codes import ExitCode
from streams.kafka.broker import Broker
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.migrations import migrate
from tests.harness.broker.ledger_kafka import own_topics
from tests.harness.broker.ledger_servers import as_user, server_with_roles
from tests.harness.broker.proxy import LossyProxy
from tests.harness.broker.servers import running
from tests.harness.cli.forked import Forked
from tests.harness.pipeline.ledger_rig import Rig
from tests.harness.sizes import LEDGER_KILLS, drawn, show
from tools.local.clickhouse import ClickHouse as LocalServer

INSERT = b"INSERT+INTO+ledger"
LOADING_MS_MAX = 2_000


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with own_topics() as broker:
        yield broker


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("ledger-server")
    with running(lambda: server_with_roles(folder), folder) as made:
        with closing(ClickHouse.server(as_user(made, "ledger_ddl"))) as clickhouse:
            migrate(clickhouse)
        yield made


@pytest.fixture(scope="module")
def rig(
    tmp_path_factory: pytest.TempPathFactory, broker: Broker, server: LocalServer
) -> Iterator[Rig]:
    """Return one ledger for all tests; each continues where the previous one ended."""
    made = Rig(tmp_path_factory.mktemp("rig"), broker, server)
    yield made
    made.close()


def test_a_stopped_sink_continues_after_a_restart(rig: Rig) -> None:
    for _ in range(2):
        rig.write(20)
        sink = rig.start()
        rig.await_ledger(sink)
        assert rig.end(sink)[0] == ExitCode.OK
    rig.judge.judge()


def test_hostile_records_are_stored_and_stop_nothing(rig: Rig) -> None:
    sink = rig.start()
    for topic in (Topic.SUBMITTED, Topic.OUTCOMES, Topic.AUDIT):
        for key, value in ((b"\xff", b"x"), (b"k", None), (None, b"{}"), (b"", b"y" * 1_000_000)):
            rig.writer.send_raw(topic, 0, key, value)
    rig.await_ledger(sink)
    assert rig.end(sink)[0] == ExitCode.OK
    rig.judge.judge()


def test_repeated_kills_lose_and_duplicate_nothing(rig: Rig) -> None:
    for n in range(LEDGER_KILLS):
        before = rig.judge.rows()
        rig.write(60)
        sink = rig.start()
        if n % 2:
            _wait_for(partial(_grown, rig, before))
        else:
            # The kill comes at a random moment of loading.
            time.sleep(drawn(f"loading-{n}", LOADING_MS_MAX) / 1000)
        rig.end(sink, signal.SIGKILL)
        show(n + 1, LEDGER_KILLS, "killed")
    rig.go_on()


def test_a_killed_server_ends_the_sink_and_loses_nothing(rig: Rig, server: LocalServer) -> None:
    assert "ClickHouse" in rig.sentence_of_end(server.kill, ExitCode.UNREACHABLE)
    server.start()
    rig.go_on()


def test_a_hanging_server_times_out_and_its_late_insert_counts_once(
    rig: Rig, server: LocalServer
) -> None:
    with closing(LossyProxy(server.port)) as proxy:
        sink = rig.start(rig.config(port=proxy.port, answer_s_max=10))
        rig.write(20)
        rig.await_ledger(sink)
        proxy.before(INSERT, server.pause)
        try:
            rig.write(40)
            code, log = rig.await_end(sink)
        finally:
            server.resume()
    assert code == ExitCode.UNREACHABLE, log
    rig.go_on()


def test_a_response_lost_after_the_insert_duplicates_nothing(rig: Rig, server: LocalServer) -> None:
    with closing(LossyProxy(server.port)) as proxy:
        sink = rig.start(rig.config(port=proxy.port))
        rig.write(20)
        rig.await_ledger(sink)
        proxy.lose_answer_to(INSERT)
        rig.write(20)
        rig.await_ledger(sink)
        rig.write(20)
        rig.await_ledger(sink)
        assert proxy.lost == 1
        assert rig.end(sink)[0] == ExitCode.OK
    rig.judge.judge()


@pytest.mark.parametrize("asleep_s", [0.5, 3])
def test_of_two_sinks_one_ends_and_the_chain_holds(rig: Rig, asleep_s: float) -> None:
    """The first is frozen, as if its machine hung; a second takes over; then the first resumes."""
    zombie = rig.start()
    rig.write(100)
    before = rig.await_ledger(zombie)
    rig.write(100)
    _wait_for(partial(_grown, rig, before))  # it has appended and got the response
    zombie.send_signal(signal.SIGSTOP)
    successor = rig.start()
    rig.write(100)
    rig.await_ledger(successor)
    time.sleep(asleep_s)  # how long the zombie is frozen
    zombie.send_signal(signal.SIGCONT)
    rig.write(100)
    ended = _first_end(zombie, successor)
    code, log = rig.await_end(ended)
    assert code == ExitCode.TAKEN_OVER
    assert "another process appends" in log
    left = successor if ended is zombie else zombie
    rig.await_ledger(left)
    rig.end(left)
    rig.judge.judge()


def _grown(rig: Rig, before: int) -> bool:
    return rig.judge.rows() > before


def _first_end(*sinks: Forked) -> Forked:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for sink in sinks:
            if sink.poll() is not None:
                return sink
        time.sleep(0.05)
    raise AssertionError("two sinks write one ledger")


def _wait_for(there: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not there():
        assert time.monotonic() < until
        time.sleep(0.02)
