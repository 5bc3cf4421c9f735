"""Slow clients: each is cut off in bounded time, and the others do not notice."""

import socket
import struct
from contextlib import ExitStack
from typing import Any

import pytest

from tests.harness.builders.http_server import (
    GET,
    HOST_LINE,
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

LONG = 3_600
SHORT = 0.2
BODY_BEGUN = b"POST /late HTTP/1.1\r\n" + HOST_LINE + b"Content-Length: 5\r\n\r\nabc"
ENDLESS = b"GET /endless HTTP/1.1\r\n" + HOST_LINE + b"\r\n"


def test_a_connection_that_sends_nothing_is_closed() -> None:
    with served(EchoApp(), head_s_max=SHORT, idle_s_max=LONG) as address:
        assert ask(address, b"") == []


@pytest.mark.parametrize("part", [b"G", b"GET /late HTTP/1.1\r\n", GET[:-2], b"GET /late\r\n"])
def test_an_incomplete_head_is_answered_with_408(part: bytes) -> None:
    with served(EchoApp(), head_s_max=SHORT) as address:
        (answer,) = ask(address, part)
        assert (answer.status, answer.json()["code"]) == (408, "request_timeout")


def test_a_second_head_has_the_same_deadline() -> None:
    with served(EchoApp(), head_s_max=SHORT, idle_s_max=LONG) as address:
        assert [answer.status for answer in ask(address, GET + GET[:-2])] == [200, 408]


def test_a_head_that_comes_byte_by_byte_is_cut_off_at_the_deadline() -> None:
    app = EchoApp()
    with served(app, head_s_max=SHORT) as address, connected(address) as link:
        received = b""
        link.settimeout(SHORT / 20)
        link.sendall(b"GET /late HTTP/1.1\r\nA: ")
        while not received:
            try:
                link.sendall(b"a")
                received = link.recv(1 << 16)
            except TimeoutError:
                continue
        assert [answer.status for answer in answers(received)] == [408]
        assert app.seen == []


def test_an_incomplete_body_is_answered_with_408_and_does_not_run() -> None:
    app = EchoApp()
    with served(app, body_s_max=SHORT) as address:
        (answer,) = ask(address, BODY_BEGUN)
        assert (answer.status, answer.json()["code"]) == (408, "request_timeout")
        until(lambda: app.cut == ["POST /late"])
        assert app.seen == []


def test_an_idle_connection_is_closed_without_a_reply() -> None:
    with served(EchoApp(), idle_s_max=1) as address:
        assert [answer.status for answer in ask(address, GET)] == [200]


def test_empty_lines_do_not_keep_a_connection_open() -> None:
    with served(EchoApp(), idle_s_max=1) as address, connected(address) as link:
        ask_once(link, GET)
        link.sendall(b"\r\n")
        assert rest_of(link) == b""


@pytest.mark.parametrize("request_bytes", [b"", BODY_BEGUN[:10], GET])
def test_the_deadlines_of_others_do_not_end_a_request_that_runs(request_bytes: bytes) -> None:
    """A request may wait longer than every deadline: they count while the client is due."""
    app = EchoApp()
    limits: dict[str, Any] = {
        "head_s_max": SHORT,
        "body_s_max": SHORT,
        "idle_s_max": 1,
        "write_s_max": SHORT,
    }
    with served(app, **limits) as address, connected(address) as waiting:
        waiting.sendall(LAST_GET.replace(b"/seen", b"/wait"))
        ask(address, request_bytes)  # ends after one of the deadlines
        until(lambda: app.waiting == 1)
        ask(address, request_bytes)
        app.release()
        assert [answer.status for answer in answers(rest_of(waiting))] == [200]


def test_a_client_that_does_not_read_is_cut_off_and_harms_nobody() -> None:
    app = EchoApp()
    with served(app, write_s_max=SHORT) as address, connected(address) as slow:
        slow.sendall(ENDLESS)
        until(lambda: app.sent_bytes > 0)
        with connected(address) as fast:
            assert [ask_once(fast, GET).status for _ in range(200)] == [200] * 200
        # The connection ends although the client never read: the application could not finish.
        until(lambda: app.sent_bytes >= 2**31)
        received = rest_of(slow)
        assert 0 < len(received) < 2**27


def test_a_client_that_reads_slowly_gets_everything_it_reads() -> None:
    app = EchoApp()
    with served(app, write_s_max=2) as address, connected(address) as slow:
        slow.sendall(ENDLESS)
        received = 0
        while received < 64 * 1024 * 1024:
            received += len(slow.recv(1 << 20))
        assert app.sent_bytes >= received - 2**20


def test_a_stopping_server_does_not_wait_for_a_client_that_does_not_read() -> None:
    app = EchoApp()
    with ExitStack() as stack:
        with served(app, write_s_max=LONG, stop_s_max=SHORT) as address:
            slow = stack.enter_context(connected(address))
            slow.sendall(ENDLESS)
            until(lambda: app.sent_bytes > 0)
        assert len(rest_of(slow)) < 2**27


def test_a_client_that_resets_its_connection_ends_its_request() -> None:
    app = EchoApp()
    with served(app) as address:
        link = connected(address)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        link.sendall(BODY_BEGUN)
        until(lambda: ask(address, LAST_GET)[0].status == 200)
        link.close()
        until(lambda: app.cut == ["POST /late"])


def test_the_oldest_idle_connection_makes_room_for_a_new_one() -> None:
    with served(EchoApp(), connections_max=3) as address, ExitStack() as stack:
        links = [stack.enter_context(connected(address)) for _ in range(3)]
        for link in links:
            assert ask_once(link, GET).status == 200
        assert [answer.status for answer in ask(address, LAST_GET)] == [200]
        assert rest_of(links[0]) == b""
        assert [ask_once(link, GET).status for link in links[1:]] == [200, 200]


def test_requests_that_run_are_not_closed_for_new_connections() -> None:
    app = EchoApp()
    with served(app, connections_max=2) as address, ExitStack() as stack:
        links = [stack.enter_context(connected(address)) for _ in range(2)]
        for link in links:
            link.sendall(LAST_GET.replace(b"/seen", b"/wait"))
        until(lambda: app.waiting == 2)
        assert ask(address, b"") == []
        app.release()
        for link in links:
            assert [answer.status for answer in answers(rest_of(link))] == [200]
