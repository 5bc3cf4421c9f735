"""Listeners: who may connect, what happens if an address is taken, a bounded start and stop."""

import asyncio
import os
import resource
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sixgate.api.exchange import Receive, Scope, Send
from sixgate.api.listeners import RESERVED_FILE_COUNT, raise_file_limit
from sixgate.api.server import Limits, Listen, Tcp, serving
from sixgate.api_error import ApiError
from sixgate.data_folder.folder import FolderBusyError
from sixgate.data_folder.signer_files import FolderError
from sixgate.errors import SettingsError
from tests.harness.builders.http_server import (
    GET,
    LAST_GET,
    EchoApp,
    answers,
    ask,
    ask_once,
    connected,
    rest_of,
    served,
)
from tests.harness.builders.waiting import until

LIMITS = Limits()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a path that is too long for a socket's address."""
    folder = tmp_path / ("d" * 120)
    folder.mkdir()
    return folder / "api.sock"


@contextmanager
def unix_link(path: Path) -> Iterator[socket.socket]:
    """Connect to a Unix socket, whatever the length of its path."""
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(f"/proc/self/fd/{handle}/{path.name}")
            yield link
    finally:
        os.close(handle)


def test_a_unix_socket_admits_its_owner_and_is_removed_at_the_end(path: Path) -> None:
    with serving(EchoApp(), Listen(socket=path), LIMITS) as address:
        assert (address.socket, address.urls) == (path, ())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with unix_link(path) as link:
            answer = ask_once(link, GET)
        assert answer.json()["client"] == "local socket"
    assert not path.exists()


def test_a_local_client_has_no_address_and_no_rate(path: Path) -> None:
    limits = Limits.model_validate({"ip_rate": {"per_minute": 1, "burst": 1}})
    spoofed = GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n")
    with serving(EchoApp(), Listen(socket=path), limits), unix_link(path) as link:
        found = [ask_once(link, spoofed) for _ in range(5)]
    assert [answer.status for answer in found] == [200] * 5
    assert {answer.json()["client"] for answer in found} == {"local socket"}


def test_a_unix_socket_and_several_tcp_addresses_serve_one_application(path: Path) -> None:
    app = EchoApp()
    listen = Listen(socket=path, tcp=(Tcp(), Tcp(host="::1"), Tcp(host="localhost")))
    with serving(app, listen, LIMITS) as address:
        with unix_link(path) as link:
            ask_once(link, GET)
        for url in address.urls:
            parts = urlsplit(url)
            with socket.create_connection((str(parts.hostname), parts.port or 0)) as link:
                assert ask_once(link, GET).status == 200
    assert app.seen == ["GET /seen"] * 4


def test_the_socket_of_a_process_that_was_killed_is_replaced(path: Path) -> None:
    with serving(EchoApp(), Listen(socket=path), LIMITS):
        kept = path.with_name("kept")
        path.rename(kept)
    kept.rename(path)
    with serving(EchoApp(), Listen(socket=path), LIMITS), unix_link(path) as link:
        assert ask_once(link, GET).status == 200


def test_a_unix_socket_that_answers_is_not_replaced(path: Path) -> None:
    with serving(EchoApp(), Listen(socket=path), LIMITS):
        with (
            pytest.raises(FolderBusyError, match="another process listens at"),
            serving(EchoApp(), Listen(socket=path), LIMITS),
        ):
            pass
        with unix_link(path) as link:
            assert ask_once(link, GET).status == 200


def test_a_file_in_the_place_of_the_socket_is_not_removed(path: Path) -> None:
    path.write_text("precious")
    with (
        pytest.raises(FolderError, match="is not a socket"),
        serving(EchoApp(), Listen(socket=path), LIMITS),
    ):
        pass
    assert path.read_text() == "precious"


def test_the_socket_of_a_later_server_is_not_removed(path: Path) -> None:
    with serving(EchoApp(), Listen(socket=path), LIMITS):
        path.unlink()
        later = socket.socket(socket.AF_UNIX)
        handle = os.open(path.parent, os.O_RDONLY)
        later.bind(f"/proc/self/fd/{handle}/{path.name}")
        os.close(handle)
    assert path.exists()
    later.close()


def test_a_missing_folder_is_named(path: Path) -> None:
    missing = path.parent / "missing" / "api.sock"
    with (
        pytest.raises(FolderError, match=r"cannot listen at .*missing"),
        serving(EchoApp(), Listen(socket=missing), LIMITS),
    ):
        pass


def test_a_port_in_use_is_named_and_nothing_stays_open(path: Path) -> None:
    with served(EchoApp()) as address:
        port = urlsplit(address.url).port or 0
        listen = Listen(socket=path, tcp=(Tcp(), Tcp(port=port)), section="gateway")
        with (
            pytest.raises(SettingsError, match=rf"127.0.0.1:{port} .*\[gateway\]"),
            serving(EchoApp(), listen, LIMITS),
        ):
            pass
        assert ask(address, LAST_GET)[0].status == 200
    assert not path.exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - must be refused
def test_an_address_for_other_machines_needs_tls(host: str) -> None:
    with (
        pytest.raises(SettingsError, match="without TLS"),
        serving(EchoApp(), Listen(tcp=(Tcp(host=host),)), LIMITS),
    ):
        pass
    with serving(EchoApp(), Listen(tcp=(Tcp(host=host, insecure_dev=True),)), LIMITS):
        pass


def test_an_application_that_does_not_start_is_an_error(path: Path) -> None:
    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise ValueError("no database")

    with (
        pytest.raises(ApiError, match="did not start") as failed,
        serving(app, Listen(socket=path), LIMITS),
    ):
        pass
    assert isinstance(failed.value.__cause__, ValueError)
    assert not path.exists()


def test_an_application_is_started_before_requests_and_stopped_after_them() -> None:
    events: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{step}"
                events.append(step)
                await send({"type": f"lifespan.{step}.complete"})
            return
        events.append("request")
        await EchoApp()(scope, receive, send)

    with served(app) as address:
        ask(address, LAST_GET)
    assert events == ["startup", "request", "shutdown"]


def test_a_request_that_runs_is_finished_when_the_server_stops() -> None:
    app = EchoApp()
    received: list[bytes] = []

    def wait(link: socket.socket) -> None:
        link.sendall(GET.replace(b"/seen", b"/wait"))
        received.append(rest_of(link))

    with served(app) as address:
        link = connected(address)
        thread = threading.Thread(target=wait, args=(link,))
        thread.start()
        until(lambda: app.waiting == 1)
        # It waits until the server refuses new connections: the server has begun to stop.
        releasing = threading.Thread(target=release_after_stop, args=(app, address.url))
        releasing.start()
    for one in (thread, releasing):
        one.join()
    link.close()
    assert [answer.status for answer in answers(received[0])] == [200]


def release_after_stop(app: EchoApp, url: str) -> None:
    parts = urlsplit(url)

    def is_refused() -> bool:
        try:
            socket.create_connection((str(parts.hostname), parts.port or 0)).close()
        except OSError:
            return True
        return False

    until(is_refused)
    app.release()


def test_a_request_that_does_not_end_is_cancelled_when_the_server_stops() -> None:
    app = EchoApp()
    with served(app, stop_s_max=0.1) as address:
        link = connected(address)
        link.sendall(GET.replace(b"/seen", b"/wait"))
        until(lambda: app.waiting == 1)
    with link:
        assert all(answer.status == 500 for answer in answers(rest_of(link)))


def test_a_server_stops_although_the_application_blocks(caplog: pytest.LogCaptureFixture) -> None:
    blocked, released = threading.Event(), threading.Event()

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        if scope["type"] == "http":
            blocked.set()
            released.wait()
            await asyncio.sleep(0)

    with served(app, stop_s_max=0.1) as address:
        link = connected(address)
        link.sendall(GET)
        blocked.wait()
    assert "http.stop_timed_out" in [record.getMessage() for record in caplog.records]
    released.set()
    with link:
        rest_of(link)
    until(lambda: not any(thread.name == "http" for thread in threading.enumerate()))


def test_the_limit_of_open_files_is_raised_as_far_as_needed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1_024, hard))
        assert raise_file_limit(1_000) == 1_000
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1_000 + RESERVED_FILE_COUNT
        # A higher limit stays, and the hard one bounds the connections.
        assert raise_file_limit(10) == 10
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1_000 + RESERVED_FILE_COUNT
        if hard != resource.RLIM_INFINITY:
            assert raise_file_limit(hard) == hard - RESERVED_FILE_COUNT
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_server_without_a_free_file_continues_when_there_is_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with served(EchoApp()) as address, socket.socket() as link:
        parts = urlsplit(address.url)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
            link.connect((str(parts.hostname), parts.port or 0))
            link.sendall(LAST_GET)
            until(lambda: "http.accept_failed" in [one.getMessage() for one in caplog.records])
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert [answer.status for answer in answers(rest_of(link))] == [200]
        assert ask(address, LAST_GET)[0].status == 200
