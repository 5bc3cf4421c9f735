"""Limits of requests: sizes, rates, concurrency; every refusal is a problem document."""

import json
import logging
from contextlib import ExitStack
from typing import Any

import pytest

from sixgate.config.limits import KIB
from sixgate.logs import JsonLines
from tests.harness.builders.http_server import (
    GET,
    HOST_LINE,
    LAST_GET,
    Answer,
    EchoApp,
    answers,
    ask,
    ask_once,
    connected,
    rest_of,
    served,
)
from tests.harness.builders.waiting import until

SMALL: dict[str, Any] = {
    "body_bytes_max": KIB,
    "larger_bodies": {"/large": 4 * KIB},
    "head_bytes_max": KIB,
}


def post(path: str, size: int, *, chunked: bool) -> bytes:
    body = b"x" * size
    if chunked:
        framing, body = b"Transfer-Encoding: chunked", b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
    else:
        framing = b"Content-Length: %d" % size
    return b"POST %s HTTP/1.1\r\n" % path.encode() + HOST_LINE + framing + b"\r\n\r\n" + body


def with_header(value: bytes) -> bytes:
    return b"GET /seen HTTP/1.1\r\n" + HOST_LINE + b"A: " + value + b"\r\n\r\n"


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/seen", KIB, 200),
        ("/seen", KIB + 1, 413),
        ("/seen", 200 * KIB, 413),
        ("/large/file", 4 * KIB, 200),
        ("/large/file", 4 * KIB + 1, 413),
        ("/larg", KIB + 1, 413),
    ],
)
def test_a_body_has_a_limit_that_depends_on_the_path(
    path: str, size: int, status: int, *, chunked: bool
) -> None:
    app = EchoApp()
    with served(app, **SMALL) as address, connected(address) as link:
        answer = ask_once(link, post(path, size, chunked=chunked))
        assert answer.status == status
        assert len(app.seen) == (status == 200)
        if status == 413:
            limit = 4 * KIB if path.startswith("/large") else KIB
            assert answer.json()["code"] == "body_too_large"
            assert f" {limit} bytes" in answer.json()["detail"]
            assert rest_of(link) == b""


def test_a_client_that_still_sends_receives_the_refusal() -> None:
    """The connection is not reset while the reply is on its way."""
    with served(EchoApp(), **SMALL) as address:
        (answer,) = ask(address, post("/seen", 2_000 * KIB, chunked=False))
        assert answer.status == 413


@pytest.mark.parametrize(
    "request_bytes",
    [
        with_header(b"b" * KIB),
        with_header(b"b" * KIB)[:-1],
        with_header(b"b" * 500 * KIB),
        b"GET /" + b"a" * KIB + b" HTTP/1.1\r\n" + HOST_LINE + b"\r\n",
        b"GET /seen HTTP/1.1\r\n" + HOST_LINE + b"A:b\r\n" * 101 + b"\r\n",
        b"GET /seen HTTP/1.1\r\n" + b"A" * 2 * KIB,
    ],
)
def test_a_head_above_its_limit_is_answered_with_431(request_bytes: bytes) -> None:
    app = EchoApp()
    with served(app, **SMALL) as address:
        (answer,) = ask(address, request_bytes)
        assert (answer.status, answer.json()["code"]) == (431, "head_too_large")
        assert app.seen == []


def test_a_head_below_its_limit_is_accepted() -> None:
    with served(EchoApp(), **SMALL) as address, connected(address) as link:
        assert ask_once(link, with_header(b"b" * (KIB - 100))).status == 200
        assert ask_once(link, with_header(b"b" * (KIB - 100))).status == 200


def test_an_address_over_its_rate_gets_429_with_whole_seconds() -> None:
    rate = {"per_minute": 2, "burst": 3}
    with served(EchoApp(), ip_rate=rate) as address, connected(address) as link:
        found = [ask_once(link, GET) for _ in range(5)]
        assert [answer.status for answer in found] == [200, 200, 200, 429, 429]
        assert 1 <= int(found[-1].headers["retry-after"]) <= 30
        problem = found[-1].json()
        assert (problem["type"], problem["title"], problem["status"], problem["code"]) == (
            "about:blank",
            "Too Many Requests",
            429,
            "rate_limited",
        )


def forwarded(client: bytes) -> bytes:
    return GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-For: " + client + b"\r\n\r\n")


def test_clients_behind_a_named_proxy_have_a_rate_each() -> None:
    limits: dict[str, Any] = {
        "ip_rate": {"per_minute": 1, "burst": 1},
        "trusted_proxies": ["127.0.0.0/8"],
    }
    with served(EchoApp(), **limits) as address, connected(address) as link:
        found = [ask_once(link, forwarded(b"1.1.1.%d" % (number % 2))) for number in range(4)]
        assert [answer.status for answer in found] == [200, 200, 429, 429]
        assert [answer.json()["client"] for answer in found[:2]] == ["1.1.1.0", "1.1.1.1"]


def test_nobody_changes_an_address_by_a_header() -> None:
    with (
        served(EchoApp(), ip_rate={"per_minute": 1, "burst": 1}) as address,
        connected(address) as link,
    ):
        found = [ask_once(link, forwarded(b"1.1.1.%d" % number)) for number in range(2)]
        assert [answer.status for answer in found] == [200, 429]
        assert found[0].json()["client"] == "127.0.0.1"


def test_requests_above_the_maximum_get_503_and_the_others_finish() -> None:
    app = EchoApp()
    with served(app, requests_max=1) as address, connected(address) as waiting:
        waiting.sendall(LAST_GET.replace(b"/seen", b"/wait"))
        until(lambda: app.waiting == 1)
        (refused,) = ask(address, LAST_GET)
        assert (refused.status, refused.json()["code"]) == (503, "busy")
        assert int(refused.headers["retry-after"]) >= 1
        app.release()
        assert [answer.status for answer in answers(rest_of(waiting))] == [200]
        assert [answer.status for answer in ask(address, LAST_GET)] == [200]


def test_one_address_does_not_take_the_place_of_all_others() -> None:
    app = EchoApp()
    limits: dict[str, Any] = {"ip_requests_max": 1, "trusted_proxies": ["127.0.0.0/8"]}
    first, other = (forwarded(address) for address in (b"1.1.1.1", b"1.1.1.2"))
    with served(app, **limits) as address, connected(address) as waiting:
        waiting.sendall(first.replace(b"/seen", b"/wait"))
        until(lambda: app.waiting == 1)
        with connected(address) as link:
            refused, answered = ask_once(link, first), ask_once(link, other)
            assert (refused.status, refused.json()["code"]) == (503, "busy")
            assert answered.status == 200
            app.release()
            until(lambda: app.waiting == 0)
            assert ask_once(link, first).status == 200


BODY_BEGUN = b"POST /seen HTTP/1.1\r\n" + HOST_LINE + b"Content-Length: 5\r\n\r\nabc"


def of_a_principal(request: bytes) -> bytes:
    return request.replace(b"\r\n\r\n", b"\r\nX-Principal: agent:bot\r\n\r\n")


def test_slow_bodies_without_a_principal_leave_their_address_its_slots() -> None:
    limits: dict[str, Any] = {
        "ip_requests_max": 4,
        "ip_anonymous_max": 2,
        "anonymous_body_s_max": 60,
    }
    app = EchoApp()
    with served(app, **limits) as address, ExitStack() as stack:
        slow = [stack.enter_context(connected(address)) for _ in range(2)]
        for link in slow:
            link.sendall(BODY_BEGUN)
        last = BODY_BEGUN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"de"
        until(lambda: ask(address, last)[0].status == 503)
        (refused,) = ask(address, last)
        assert (refused.json()["code"], refused.headers["retry-after"]) == ("busy", "1")
        assert "without a verified token" in refused.json()["detail"]
        known = of_a_principal(BODY_BEGUN) + b"de"
        with connected(address) as link:
            assert [ask_once(link, known).status for _ in range(3)] == [200] * 3
        for link in slow:
            assert ask_once(link, b"de").status == 200
        assert [answer.status for answer in ask(address, LAST_GET)] == [200]


def test_only_a_body_with_a_principal_may_take_its_time() -> None:
    with served(EchoApp(), anonymous_body_s_max=0.1) as address, connected(address) as patient:
        patient.sendall(of_a_principal(BODY_BEGUN))
        (answer,) = ask(address, BODY_BEGUN)
        assert (answer.status, answer.json()["code"]) == (408, "request_timeout")
        assert ask_once(patient, b"de").status == 200


def test_a_complete_body_without_a_principal_has_no_deadline() -> None:
    app = EchoApp()
    waits = LAST_GET.replace(b"/seen", b"/wait")
    with served(app, anonymous_body_s_max=0.1) as address, connected(address) as waiting:
        waiting.sendall(waits)
        until(lambda: app.waiting == 1)
        assert ask(address, BODY_BEGUN)[0].status == 408
        app.release()
        assert answers(rest_of(waiting))[0].status == 200


def asking_for(header: bytes) -> bytes:
    return LAST_GET.replace(b"\r\n\r\n", b"\r\nX-Answer: " + header + b"\r\n\r\n")


REPLIES = {
    "a reply": (LAST_GET, 200),
    "a refusal of the parser": (b"\x00\r\n\r\n", 400),
    "a defect": (LAST_GET.replace(b"/seen", b"/defect"), 500),
    "a reply with its own caching": (asking_for(b"Cache-Control: public"), 200),
}


@pytest.mark.parametrize(("request_bytes", "status"), REPLIES.values(), ids=REPLIES)
def test_every_reply_has_the_security_headers(request_bytes: bytes, status: int) -> None:
    with served(EchoApp()) as address:
        (answer,) = ask(address, request_bytes)
    assert answer.status == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert {"strict-transport-security", "server", "date"}.isdisjoint(answer.headers)
    assert not any(name.startswith("access-control-") for name in answer.headers)


@pytest.mark.parametrize(
    ("header", "policy"),
    [
        (b"Content-Security-Policy: default-src 'self'", "default-src 'self'"),
        (b"Content-Type: text/html; charset=utf-8", "default-src 'self'; "),
    ],
)
def test_a_page_has_another_policy(header: bytes, policy: str) -> None:
    with served(EchoApp()) as address:
        (answer,) = ask(address, asking_for(header))
    assert answer.headers["content-security-policy"].startswith(policy)


def test_a_defect_is_a_problem_without_its_message_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    answer = logged(b"/defect?token=hunter2", caplog)
    assert (answer.status, answer.json()["code"]) == (500, "internal")
    assert b"hunter2" not in answer.body
    (line,) = [line for line in lines(caplog) if line["event"] == "http.request_failed"]
    assert (line["path"], line["error"]) == ("/defect", "ValueError")


def test_no_log_has_a_query_or_a_credential(caplog: pytest.LogCaptureFixture) -> None:
    assert logged(b"/seen?token=hunter2", caplog).json()["query"] == "token=hunter2"
    (line,) = [line for line in lines(caplog) if line["event"] == "http.request"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/seen", 200)


def logged(path: bytes, caplog: pytest.LogCaptureFixture) -> Answer:
    """Send a request that is full of secrets, at the lowest log level; none may be logged."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="sixgate")  # a command in this process may have set it
    secret = b"Authorization: Bearer hunter2\r\nX-Client-Share: hunter2\r\n\r\n"
    with served(EchoApp()) as address:
        request = LAST_GET.replace(b"/seen", path).replace(b"\r\n\r\n", b"\r\n" + secret)
        (answer,) = ask(address, request)
        until(lambda: any(line["event"].startswith("http.request") for line in lines(caplog)))
    assert all("hunter2" not in str(line) for line in lines(caplog))
    return answer


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(JsonLines().format(record)) for record in list(caplog.records)]
