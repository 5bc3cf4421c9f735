"""The only broker is lost: processes turn unready, retry rarely, and end with their exit code."""

import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass

import pytest

from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from tests.harness.broker.servers import kafka_in, running
from tests.harness.builders.waiting import until
from tests.harness.pipeline.embedded import Producer
from tests.harness.pipeline.load import under_load
from tests.harness.pipeline.scaled import Scaled, organisation_on, ready
from tools.local.kafka import Kafka

# A process ends when a question to the brokers has timed out. An idle ledger asks none and goes on
# when they return, a busy one may end.
ENDS = {
    "registrar": {ExitCode.UNREACHABLE},
    "signer": {ExitCode.UNREACHABLE, ExitCode.HALTED},
    "gates": {ExitCode.GATES_FAILED},
}
ENDS_S_MAX = 90
COUNTED_S = 3.0
# All processes and the load together; without back-off it was 1,500.
ATTEMPTS_PER_S_MAX = 100


@dataclass(frozen=True)
class Lost:
    kafka: Kafka
    scaled: Scaled
    trader: Producer


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    path = tmp_path_factory.mktemp("lost")
    trader = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))
    with (
        running(lambda: kafka_in(path / "kafka"), path / "kafka") as kafka,
        organisation_on(kafka, path, [trader.signer]) as scaled,
    ):
        yield Lost(kafka, scaled, trader)


@contextmanager
def refused_connections(address: str) -> Iterator[list[float]]:
    """Close every connection to an address at once; yield the times of the attempts."""
    host, _, port = address.partition(":")
    attempts: list[float] = []
    with closing(socket.create_server((host, int(port)), reuse_port=False)) as listener:

        def refuse() -> None:
            with suppress(OSError):  # the listener was closed
                while True:
                    link, _ = listener.accept()
                    attempts.append(time.monotonic())
                    link.close()

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        try:
            yield attempts
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_without_brokers_processes_are_unready_retry_rarely_and_end_with_one_event(
    lost: Lost, *, busy: bool
) -> None:
    scaled = lost.scaled
    for name in scaled.names:
        if name not in scaled.processes:
            scaled.start(name)
    for name in scaled.names:
        scaled.await_ready(name)
    with ExitStack() as opened:
        if busy:
            opened.enter_context(under_load(scaled, lost.trader, "lost")).await_decided()
        lost.kafka.kill()
        with refused_connections(lost.kafka.address) as attempts:
            until(lambda: not any(ready(scaled.ports[name]) for name in scaled.names))
            before = len(attempts)
            time.sleep(COUNTED_S)  # attempts are counted per second
            assert len(attempts) - before < COUNTED_S * ATTEMPTS_PER_S_MAX
            for name, codes in ENDS.items():
                assert scaled.processes[name].wait(ENDS_S_MAX) in codes, scaled.log(name)
                assert_one_event(scaled, name)
        lost.kafka.start()
        scaled.processes["ledger"].kill()
        for name in scaled.names:
            scaled.processes.pop(name).wait()
            scaled.start(name)
        for name in scaled.names:
            scaled.await_ready(name)


def assert_one_event(scaled: Scaled, name: str) -> None:
    log = scaled.log(name)
    assert "Traceback" not in log
    ends = [line for line in log.splitlines() if '"exit_code":' in line]
    assert len(ends) == 1, log
