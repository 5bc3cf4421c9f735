"""Responses that ClickHouse would not send, or that end within their headers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from urllib3 import BaseHTTPResponse
from urllib3.exceptions import HTTPError, ProtocolError

from streams.ledger.framed_http import FramedPools, UnexpectedResponseError
from tests.harness.broker.listener import answering
from tools.local.ports import HOST

QUERY = b"X-ClickHouse-Query-Id: 1\r\n"
LENGTH = b"Content-Length: 2\r\n\r\n"
WHOLE = {
    "length": b"HTTP/1.1 200 OK\r\n" + QUERY + LENGTH + b"ok",
    "chunked": b"HTTP/1.1 200 OK\r\n"
    + QUERY
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "refusal": b"HTTP/1.1 404 Not Found\r\n" + LENGTH + b"no",
}
FOREIGN = {
    "no query": b"HTTP/1.1 200 OK\r\n" + LENGTH + b"ok",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "redirection": b"HTTP/1.1 307 Elsewhere\r\nLocation: http://elsewhere.example/\r\n"
    + LENGTH
    + b"  ",
}
UNFRAMED = {
    "no headers": b"HTTP/1.1 200 OK\r\n",
    "headers that end": b"HTTP/1.1 200 OK\r\n" + QUERY,
    "until the end": b"HTTP/1.1 200 OK\r\n" + QUERY + b"\r\nok",
    "of 1996": b"HTTP/1.0 200 OK\r\n" + QUERY + b"\r\nok",
    "of no length": b"HTTP/1.1 200 OK\r\n" + QUERY + b"Content-Length: \r\n\r\nok",
    "of negative length": b"HTTP/1.1 200 OK\r\n" + QUERY + b"Content-Length: -1\r\n\r\nok",
}

Ask = Callable[[], BaseHTTPResponse]


@contextmanager
def asking(answer: bytes) -> Iterator[Ask]:
    """Yield a function that queries a fake server with this response."""
    with answering(answer) as port:
        pools = FramedPools(retries=False)
        yield lambda: pools.request("POST", f"http://{HOST}:{port}/", body=b"")
        pools.clear()


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE)
def test_a_complete_response_is_returned(answer: bytes) -> None:
    with asking(answer) as ask:
        assert ask().data == answer.partition(b"\r\n\r\n")[2].removeprefix(b"2\r\n")[:2]


@pytest.mark.parametrize("answer", WHOLE.values(), ids=WHOLE)
def test_a_truncated_response_is_an_error(answer: bytes) -> None:
    for passed in range(len(answer)):
        with (
            asking(answer[:passed]) as ask,
            suppress(HTTPError),
        ):  # the final line break is not required
            assert ask().data in {b"ok", b"no"}


@pytest.mark.parametrize("answer", UNFRAMED.values(), ids=UNFRAMED)
def test_an_endless_response_is_an_error(answer: bytes) -> None:
    with asking(answer) as ask, pytest.raises(ProtocolError, match="headers"):
        ask()


@pytest.mark.parametrize("answer", FOREIGN.values(), ids=FOREIGN)
def test_a_response_of_another_protocol_is_an_error(answer: bytes) -> None:
    with asking(answer) as ask, pytest.raises(UnexpectedResponseError):
        ask()
