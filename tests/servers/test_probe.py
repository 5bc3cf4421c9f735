"""``sixgate probe`` on real processes: stopped, busy, loading, gone, or something else."""

import secrets
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.cli.exit_codes import ExitCode
from tests.harness.cli.forked import ForkedCommandLine
from tests.harness.pipeline.embedded import ACCOUNT, Producer
from tests.harness.pipeline.scaled import Scaled, all_ended, organisation
from tools.local.ports import free_port

STALLED_S = 2.0
PROBE_S_MAX = 60
INTENTS = 500
NAMES = ("gates", "signer", "ledger")


@pytest.fixture(scope="module")
def trader() -> Producer:
    return Producer(Ed25519Signer("trader", secrets.token_bytes(32)))


@pytest.fixture(scope="module")
def organised(tmp_path_factory: pytest.TempPathFactory, trader: Producer) -> Iterator[Scaled]:
    with organisation(tmp_path_factory.mktemp("probe"), [trader.signer]) as found:
        yield found


@pytest.fixture
def scaled(organised: Scaled) -> Scaled:
    """Return the organisation with every process ready; restart those that a test ended."""
    for name in NAMES:
        if name not in organised.processes:
            organised.start(name)
    for name in NAMES:
        organised.await_ready(name)
    return organised


def probed(url: str, stalled_s: float = STALLED_S) -> tuple[int, str]:
    ended = ForkedCommandLine(None).run("probe", "--url", url, "--stalled-s", f"{stalled_s}")
    output = ended.out + ended.err
    assert output.count("\n") == 1, output
    return ended.code, output


def test_healthy_processes_are_reported_healthy(scaled: Scaled) -> None:
    for name in NAMES:
        code, output = probed(scaled.url(name), PROBE_S_MAX / 2)
        assert code == ExitCode.OK, output
    scaled.stop_all()


def test_busy_processes_are_reported_healthy(scaled: Scaled, trader: Producer) -> None:
    """Lag alone is no stall: work progresses."""
    values = [trader.signed(f"{n}", value_wei=10) for n in range(INTENTS)]
    scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values])
    while len(scaled.contents().outcomes) < INTENTS:
        for name in scaled.processes:
            code, _ = probed(scaled.url(name), PROBE_S_MAX / 2)
            assert code == ExitCode.OK
    scaled.settle(all_ended)
    scaled.stop_all()


def test_records_waiting_for_a_blocked_process_are_a_stall(
    scaled: Scaled, trader: Producer
) -> None:
    """The ledger's server hangs: the process answers, but its position does not move."""
    assert scaled.server is not None
    scaled.server.pause()
    try:
        scaled.send([Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signed("waits"))])
        process = scaled.processes["ledger"]
        found: int = ExitCode.OK
        while found == ExitCode.OK and process.poll() is None:
            found = probed(scaled.url("ledger"))[0]
        assert found == ExitCode.STALLED
    finally:
        scaled.server.resume()
        scaled.kill("ledger")


def test_a_stopped_process_is_detected(scaled: Scaled) -> None:
    """Each probe first waits for an answer, so all run at the same time."""
    with ThreadPoolExecutor(len(NAMES)) as pool:
        for found in [pool.submit(stopped_and_detected, scaled, name) for name in NAMES]:
            found.result()


def stopped_and_detected(scaled: Scaled, name: str) -> None:
    process = scaled.processes[name]
    process.send_signal(signal.SIGSTOP)
    assert (probed(scaled.url(name))[0], process.poll()) == (ExitCode.STALLED, None)
    process.kill()
    assert scaled.processes.pop(name).wait(PROBE_S_MAX) == -signal.SIGKILL
    assert probed(scaled.url(name))[0] == ExitCode.UNREACHABLE


@pytest.mark.parametrize(
    "page", [b"", b"hello", b"sixgate_stalled_seconds", b"\xff\x00{", b"up 1\n"]
)
def test_a_page_of_another_server_is_a_wrong_url(page: bytes) -> None:
    with served(page) as url:
        assert probed(url)[0] == ExitCode.USAGE


@pytest.mark.parametrize(
    "url", ["127.0.0.1:1", "ftp://a:1", "http://a", "http://a:99999", "http://a:1/b"]
)
def test_another_form_of_url_is_refused(url: str) -> None:
    assert probed(url)[0] == ExitCode.USAGE


def test_an_absent_process_is_reported() -> None:
    address = f"127.0.0.1:{free_port()}"
    code, output = probed(f"http://{address}")
    assert (code, address in output) == (ExitCode.UNREACHABLE, True)


@contextmanager
def served(page: bytes) -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
