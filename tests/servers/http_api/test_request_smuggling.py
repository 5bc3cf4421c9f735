"""Requests that two servers could read differently: each is refused, and nothing behind it runs."""

import pytest

from tests.harness.builders.http_server import (
    GET,
    HOST_LINE,
    LAST_GET,
    Attacked,
    answers,
    ask,
    ask_once,
    connected,
    rest_of,
)

CHUNKED = b"Transfer-Encoding: chunked\r\n"
END = b"\r\n"


def post(headers: bytes, body: bytes = b"") -> bytes:
    return b"POST /stolen HTTP/1.1\r\n" + HOST_LINE + headers + END + body


def get(line: bytes = b"GET /stolen HTTP/1.1", headers: bytes = HOST_LINE) -> bytes:
    return line + END + headers + END


AMBIGUOUS = {
    "length and chunks": post(b"Content-Length: 5\r\n" + CHUNKED, b"0\r\n\r\n"),
    "chunks and length": post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n"),
    "two lengths": post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abcd"),
    "the same length twice": post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    "a list of lengths": post(b"Content-Length: 3, 3\r\n", b"abc"),
    "a signed length": post(b"Content-Length: +3\r\n", b"abc"),
    "a negative length": post(b"Content-Length: -3\r\n", b"abc"),
    "a hexadecimal length": post(b"Content-Length: 0x3\r\n", b"abc"),
    "an empty length": post(b"Content-Length: \r\n", b"abc"),
    "a length above 64 bits": post(b"Content-Length: 99999999999999999999\r\n", b"abc"),
    "another coding": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\n", b"abc"),
    "chunked not last": post(b"Transfer-Encoding: chunked, identity\r\n", b"0\r\n\r\n"),
    "chunked twice": post(CHUNKED + CHUNKED, b"0\r\n\r\n"),
    "a vertical tab before chunked": post(b"Transfer-Encoding: \x0bchunked\r\n", b"0\r\n\r\n"),
    "chunks in HTTP/1.0": b"POST /stolen HTTP/1.0\r\n" + HOST_LINE + CHUNKED + END + b"0\r\n\r\n",
    "a space before the colon": post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n"),
    "a tab before the colon": get(headers=HOST_LINE + b"A\t: b\r\n"),
    "a folded header": get(headers=HOST_LINE + b"A: b\r\n c\r\n"),
    "a folded coding": post(b"Transfer-Encoding:\r\n chunked\r\n", b"0\r\n\r\n"),
    "a space before the first header": get(headers=b" A: b\r\n" + HOST_LINE),
    "line feeds only": b"GET /stolen HTTP/1.1\nHost: a\n\n",
    "a line feed after the request line": b"GET /stolen HTTP/1.1\n" + HOST_LINE + END,
    "a line feed after a header": get(headers=HOST_LINE + b"A: b\nB: c\r\n"),
    "a line feed at the end": b"GET /stolen HTTP/1.1\r\n" + HOST_LINE + b"\n",
    "a line feed before the request": b"\n" + get(),
    "a carriage return before the request": b"\r" + get(),
    "a carriage return in a header": get(headers=HOST_LINE + b"A: b\rB: c\r\n"),
    "a zero byte in a header": get(headers=HOST_LINE + b"A: b\0c\r\n"),
    "a zero byte in a name": get(headers=HOST_LINE + b"A\0: b\r\n"),
    "a header without a name": get(headers=HOST_LINE + b": b\r\n"),
    "a header without a colon": get(headers=HOST_LINE + b"A\r\n"),
    "no host": get(headers=b""),
    "two hosts": get(headers=HOST_LINE + b"Host: b\r\n"),
    "a host with a path": get(headers=b"Host: a/b\r\n"),
    "a host with a user": get(headers=b"Host: a@b\r\n"),
    "two authorizations": get(headers=HOST_LINE + b"Authorization: a\r\nAuthorization: b\r\n"),
    "two client shares": get(headers=HOST_LINE + b"X-Client-Share: a\r\nx-client-share: b\r\n"),
    "two idempotency keys": get(headers=HOST_LINE + b"Idempotency-Key: a\r\n" * 2),
    "a space in the path": get(b"GET /stolen HTTP/1.1 HTTP/1.1"),
    "a tab after the method": get(b"GET\t/stolen HTTP/1.1"),
    "a method in lower case": get(b"get /stolen HTTP/1.1"),
    "an unknown version": get(b"GET /stolen HTTP/1.2"),
    "another protocol": get(b"GET /stolen XTTP/1.1"),
    "a path with bytes above ASCII": get("GET /stolen\u00e9 HTTP/1.1".encode()),
    "a tunnel without a path": get(b"GET stolen HTTP/1.1"),
    "the start of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
    "an upgrade with a body": post(
        b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n", b"abc"
    ),
    "an upgrade with chunks": post(
        b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + CHUNKED, b"0\r\n\r\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("request_bytes", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_request_is_refused_and_the_rest_is_not_read(
    attacked: Attacked, request_bytes: bytes
) -> None:
    attacked.app.seen.clear()
    (answer,) = ask(attacked.address, request_bytes + LAST_GET)
    assert (answer.status, answer.json()["code"]) == (400, "request_malformed")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["connection"] == "close"
    assert attacked.app.seen == []


UNSUPPORTED = {
    "HTTP/2.0": (get(b"GET /stolen HTTP/2.0"), 505),
    "HTTP/0.9": (get(b"GET /stolen HTTP/0.9"), 505),
    "CONNECT": (get(b"CONNECT stolen:443 HTTP/1.1"), 501),
    "TRACE": (get(b"TRACE /stolen HTTP/1.1"), 501),
    "SOURCE": (get(b"SOURCE /stolen ICE/1.0"), 501),
}


@pytest.mark.parametrize(("request_bytes", "status"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_an_unsupported_request_is_refused_and_the_rest_is_not_read(
    attacked: Attacked, request_bytes: bytes, status: int
) -> None:
    attacked.app.seen.clear()
    (answer,) = ask(attacked.address, request_bytes + LAST_GET)
    assert answer.status == status
    assert attacked.app.seen == []


BROKEN_BODIES = {
    "a line feed after the size": b"3\nabc\r\n0\r\n\r\n",
    "a line feed after the data": b"3\r\nabc\n0\r\n\r\n",
    "a line feed in an extension": b"3;a\nabc\r\n0\r\n\r\n",
    "a hexadecimal prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-3\r\nabc\r\n0\r\n\r\n",
    "a space after the size": b"3 \r\nabc\r\n0\r\n\r\n",
    "a size above 64 bits": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
    "more data than its size": b"3\r\nabcdef\r\n0\r\n\r\n",
    "a trailer": b"3\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
    "an endless trailer": b"3\r\nabc\r\n0\r\nA: " + b"b" * 100_000,
    "an endless extension": b"3;a=" + b"b" * 100_000,
}


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES)
@pytest.mark.parametrize("parts", ["one", "two"])
def test_a_request_with_a_broken_body_does_not_run(
    attacked: Attacked, body: bytes, parts: str
) -> None:
    attacked.app.seen.clear()
    with connected(attacked.address) as link:
        head = post(CHUNKED)
        if parts == "two":
            # The application begins to read before the broken part comes.
            link.sendall(head + b"1\r\nx\r\n")
            head = b""
        link.sendall(head + body + LAST_GET)
        (answer,) = answers(rest_of(link))
    assert (answer.status, answer.json()["code"]) == (400, "request_malformed")
    assert attacked.app.seen == []


VALID = {
    "chunks": (post(CHUNKED, b"3\r\nabc\r\n2;a=b\r\nde\r\n0\r\n\r\n"), "abcde"),
    "chunks of one byte": (post(CHUNKED, b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n"), "a" * 20_000),
    "a length": (post(b"Content-Length: 3\r\n", b"abc"), "abc"),
    "no body": (post(b""), ""),
    "a body of a GET": (get(headers=HOST_LINE + b"Content-Length: 3\r\n") + b"abc", "abc"),
    "an empty line before": (b"\r\n" + get(), ""),
    "an absolute path": (get(b"GET http://sixgate.example/stolen HTTP/1.1"), ""),
    "an IPv6 host": (get(headers=b"Host: [::1]:80\r\n"), ""),
    "continue": (
        post(b"Expect: 100-continue\r\nContent-Length: 3\r\n", b"abc"), "abc",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("request_bytes", "body"), VALID.values(), ids=VALID)
def test_a_valid_request_is_answered_and_so_is_the_next_one(
    attacked: Attacked, request_bytes: bytes, body: str
) -> None:
    found = ask(attacked.address, request_bytes + LAST_GET)
    *_, first, last = [answer for answer in found if answer.status != 100]
    assert (first.status, first.json()["body"]) == (200, body)
    assert last.status == 200


def test_pipelined_requests_are_answered_in_their_order(attacked: Attacked) -> None:
    paths = [f"/{number}" for number in range(10)]
    pipelined = b"".join(get(f"GET {path} HTTP/1.1".encode()) for path in paths)
    attacked.app.seen.clear()
    found = ask(attacked.address, pipelined + LAST_GET)
    assert [answer.status for answer in found] == [200] * 11
    assert attacked.app.seen == [*(f"GET {path}" for path in paths), "GET /seen"]


def test_too_many_pipelined_requests_end_the_connection(attacked: Attacked) -> None:
    attacked.app.seen.clear()
    found = ask(attacked.address, get(b"GET /one HTTP/1.1") * 1_000)
    assert len(found) < 20
    assert {answer.status for answer in found} <= {200}


def test_garbage_behind_a_request_never_becomes_its_reply(attacked: Attacked) -> None:
    (answer,) = ask(attacked.address, GET + b"\x00garbage\r\n\r\n")
    assert answer.status == 200
    assert answer.headers["connection"] == "close"


def test_an_upgrade_is_ignored_and_ends_the_connection(attacked: Attacked) -> None:
    for protocol in (b"h2c", b"websocket"):
        attacked.app.seen.clear()
        headers = HOST_LINE + b"Connection: Upgrade\r\nUpgrade: " + protocol + END
        (answer,) = ask(attacked.address, get(b"GET /seen HTTP/1.1", headers) + get())
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert attacked.app.seen == ["GET /seen"]


def test_a_request_after_connection_close_does_not_run(attacked: Attacked) -> None:
    attacked.app.seen.clear()
    assert len(ask(attacked.address, LAST_GET + get())) == 1
    assert attacked.app.seen == ["GET /seen"]


def test_a_reply_cannot_be_split(attacked: Attacked) -> None:
    (answer,) = ask(
        attacked.address, get(b"GET /split HTTP/1.1", HOST_LINE + b"Connection: close\r\n")
    )
    assert (answer.status, answer.json()["code"]) == (500, "internal")
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_connection_serves_many_requests(attacked: Attacked) -> None:
    with connected(attacked.address) as link:
        assert [ask_once(link, GET).status for _ in range(100)] == [200] * 100
