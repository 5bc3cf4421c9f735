"""Requests and answers of our own HTTP that end too early."""

import asyncio
import logging
from contextlib import closing, suppress

import pytest
from aiohttp import web

from infra.local.ports import HOST, free_port
from sixgate.https.client import BoundedLink, NoResponseError
from sixgate.https.server import BoundedServer, ListenConfig
from tests.harness.broker.listener import answering

BODY = b'{"nonce":"0x00"}'
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n10\r\n" + BODY + b"\r\n0\r\n\r\n"
LENGTH = b"Content-Length: 16\r\n\r\n" + BODY
ANSWERS = {name: b"HTTP/1.1 200 OK\r\n" + rest for name, rest in (("c", CHUNKS), ("l", LENGTH))}
REQUESTS = {
    name: b"POST /x HTTP/1.1\r\nHost: x\r\n" + rest for name, rest in (("c", CHUNKS), ("l", LENGTH))
}


@pytest.mark.parametrize("whole", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_cut_is_none(whole: bytes) -> None:
    for passed in range(len(whole)):
        with suppress(NoResponseError):  # what ends the last chunk is not missed
            assert answer_to_a_call(whole[:passed]) == BODY


def test_an_answer_that_ends_with_its_connection_is_none() -> None:
    with pytest.raises(NoResponseError):
        answer_to_a_call(b"HTTP/1.1 200 OK\r\n\r\n" + BODY)


def answer_to_a_call(answer: bytes) -> bytes:
    """Return what a call makes of these bytes, after which the server hangs up."""
    with answering(answer) as port:
        url = f"http://{HOST}:{port}"
        with closing(BoundedLink(url, None, call_s_max=30, answer_bytes_max=99)) as link:
            return link.post("/x", b"").body


@pytest.mark.parametrize("resets", [False, True])
@pytest.mark.parametrize("whole", REQUESTS.values(), ids=REQUESTS)
def test_a_request_that_is_cut_is_not_handled_nor_told_of(
    *, whole: bytes, resets: bool, caplog: pytest.LogCaptureFixture
) -> None:
    handled: list[bytes] = []

    async def main() -> None:
        async def page(asked: web.Request) -> web.Response:
            handled.append(await server.body_of(asked))
            return web.Response()

        listening = ListenConfig("tests", HOST, free_port(), None, frozenset())
        server = BoundedServer([web.post("/x", page)], listening, 1024)
        async with server.serving():
            for passed in range(len(whole)):
                await ask(listening.port, whole[:passed], resets=resets)

    asyncio.run(main())
    assert {*handled} <= {BODY}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def ask(port: int, request: bytes, *, resets: bool) -> None:
    """Send a request that ends with its connection."""
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(request)
    await writer.drain()
    if resets:
        await asyncio.sleep(0.01)  # most are being read by then
        writer.transport.abort()
    else:
        writer.write_eof()
        with suppress(OSError):
            await reader.read()
    writer.close()
