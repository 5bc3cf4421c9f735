"""Truncated requests and responses between Sixgate's own processes."""

import asyncio
import logging
from contextlib import closing, suppress

import pytest

from sixgate.api.exchange import Receive, Scope, Send
from sixgate.config.internal_servers import DeskAddress
from sixgate.remote_calls.bounded_link import BoundedLink
from sixgate.remote_calls.link import NoResponseError
from sixgate.remote_calls.process_server import ListenConfig, serving_clients
from sixgate.remote_calls.replies import body_of, send_json
from tests.harness.broker.listener import answering
from tools.local.ports import HOST, free_port

BODY = b'{"nonce":"0x00"}'
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + BODY + b"\r\n0\r\n\r\n"
LENGTH = b"Content-Length: 16\r\n\r\n" + BODY
ANSWERS = {name: b"HTTP/1.1 200 OK\r\n" + rest for name, rest in (("c", CHUNKS), ("l", LENGTH))}
REQUESTS = {
    name: b"POST /x HTTP/1.1\r\nHost: x\r\n" + rest for name, rest in (("c", CHUNKS), ("l", LENGTH))
}


@pytest.mark.parametrize("whole", ANSWERS.values(), ids=ANSWERS)
def test_a_truncated_response_is_no_answer(whole: bytes) -> None:
    for passed in range(len(whole)):
        with suppress(NoResponseError):  # the end of the last chunk may be missing
            assert answer_to_a_call(whole[:passed]) == BODY


def test_a_response_without_a_length_is_no_answer() -> None:
    with pytest.raises(NoResponseError):
        answer_to_a_call(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)


def answer_to_a_call(answer: bytes) -> bytes:
    """Return the result of a call to a server that sends these bytes and closes."""
    with (
        answering(answer) as port,
        closing(BoundedLink(DeskAddress(url=f"http://{HOST}:{port}"), 99)) as link,
    ):
        return link.ask("POST", "/x", b"").body


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("whole", REQUESTS.values(), ids=REQUESTS)
def test_a_truncated_request_is_neither_handled_nor_logged(
    *, whole: bytes, resets: bool, caplog: pytest.LogCaptureFixture
) -> None:
    handled: list[bytes | None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (body := await body_of(receive)) is not None:
            handled.append(body)
            await send_json(send, b"{}")

    async def main() -> None:
        listening = ListenConfig("tests", HOST, free_port(), None, frozenset())
        async with serving_clients(app, listening, 1024):
            for passed in range(len(whole)):
                await ask(listening.port, whole[:passed], resets=resets)

    asyncio.run(main())
    assert {*handled} <= {BODY}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def ask(port: int, request: bytes, *, resets: bool) -> None:
    """Send a request and close the connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    await writer.drain()
    if resets:
        await asyncio.sleep(0.01)  # by then the server reads most of them
        writer.transport.abort()
    else:
        writer.write_eof()
        with suppress(OSError):
            await reader.read()
    writer.close()
