"""HTTP server of a release: limits, slow and malformed clients, shutdown."""

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path

import pytest

from signer.attestation.release.request import NONCES, RELEASES, REQUEST_BYTES_MAX
from sixgate.api import acceptor
from sixgate.config.limits import Limits
from sixgate.config.sections import TlsFiles
from sixgate.remote_calls.mutual_tls import server_context
from sixgate.remote_calls.process_server import LIMITS
from tests.harness.builders.release import SHARE, WANTED, Release, exchange, request
from tests.harness.builders.release_server import HOST, Served, posting, served
from tools.local.certificates import Authority, client_context


def run(attack: Callable[[], Coroutine[None, None, None]]) -> None:
    asyncio.run(attack())


def limits(**changes: float) -> Limits:
    return LIMITS.model_copy(update=changes)


async def pending(here: Served) -> asyncio.StreamWriter:
    """Begin a request; return when the server waits for the rest of its body."""
    reader, writer = await asyncio.open_connection(HOST, here.port)
    head = posting(RELEASES, 100).replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")
    writer.write(head + b"{")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    return writer


async def status_of_post(here: Served) -> int | None:
    """Return the status of a request, or ``None`` if its connection was closed."""
    try:
        status, _, _ = await here.post(NONCES)
    except (ConnectionError, IndexError):
        return None
    return status


def test_nonce_and_answer_go_over_http() -> None:
    async def main() -> None:
        async with served() as here:
            status, headers, body = await here.post(NONCES)
            assert (status, headers["content-type"]) == (200, "application/json")
            with exchange(bytes.fromhex(json.loads(body)["nonce"][2:]), WANTED) as mine:
                status, headers, body = await here.post(RELEASES, request(mine))
                assert (status, headers["content-type"]) == (200, "application/json")
                assert mine.open(body) == [SHARE]
            assert here.release.records == [body]

    run(main)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (posting("/v1/other", 0), 404),
        (posting(NONCES, 0).replace(b"POST", b"GET"), 405),
        (posting(RELEASES, REQUEST_BYTES_MAX + 1), 413),
        (
            posting(RELEASES, 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
            + b"80001\r\n"
            + b" " * 0x80001
            + b"\r\n0\r\n\r\n",
            413,
        ),
    ],
)
def test_an_unknown_request_is_a_problem_and_leaves_no_record(raw: bytes, status: int) -> None:
    async def main() -> None:
        async with served() as here:
            got, headers, body = await here.say(raw)
            assert got == status
            assert headers["content-type"] == "application/problem+json"
            assert json.loads(body)["status"] == status
            assert headers["connection"] == "close"
            assert (here.release.records, here.failures) == ([], [])

    run(main)


def test_a_slow_body_is_cut_off() -> None:
    async def main() -> None:
        async with served(limits=limits(body_s_max=0.3)) as here:
            status, _, _ = await here.say(posting(RELEASES, 100) + b"{")
            assert status == 408
            assert here.release.records == []

    run(main)


def test_a_slow_head_is_cut_off() -> None:
    async def main() -> None:
        async with served(limits=limits(head_s_max=0.3)) as here:
            reader, writer = await asyncio.open_connection(HOST, here.port)
            writer.write(b"POST /v1/releases HTTP/1.1\r\nHos")
            answer = await asyncio.wait_for(reader.read(), 30)
            assert answer.startswith(b"HTTP/1.1 408 ")
            writer.close()

    run(main)


def test_connections_are_limited() -> None:
    async def main() -> None:
        async with served(limits=limits(connections_max=2, body_s_max=600)) as here:
            held = [await pending(here) for _ in range(2)]
            assert await status_of_post(here) is None
            for writer in held:
                writer.close()
            status = None
            with suppress(TimeoutError):  # the assertion shows the last response
                async with asyncio.timeout(60):
                    while (status := await status_of_post(here)) is None:
                        continue
            assert status == 200

    run(main)


def test_stalled_handshakes_do_not_block_new_clients(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No client is authenticated yet, so the oldest handshake is dropped."""
    monkeypatch.setattr(acceptor, "HANDSHAKES_MAX", 2)
    patient = limits(handshake_s_max=3_600)
    authority = Authority(tmp_path)
    own, mine = authority.issue("release"), authority.issue("signer")
    files = TlsFiles(ca=authority.file, certificate=own, key=own)

    async def main() -> None:
        async with served(tls=server_context(files, "release"), limits=patient) as here:
            silent = [await asyncio.open_connection(HOST, here.port) for _ in range(4)]
            for reader, _ in silent[:2]:
                assert await asyncio.wait_for(reader.read(), 30) == b""
            reader, writer = await asyncio.open_connection(
                HOST, here.port, ssl=client_context(authority.file, mine)
            )
            writer.write(posting(NONCES, 0))
            assert (await asyncio.wait_for(reader.read(), 30)).startswith(b"HTTP/1.1 200 ")
            for _, open_writer in (*silent, (reader, writer)):
                open_writer.close()

    run(main)


def test_requests_above_the_limit_get_503() -> None:
    async def main() -> None:
        async with served(limits=limits(requests_max=1, body_s_max=600)) as here:
            writer = await pending(here)
            assert await status_of_post(here) == 503
            writer.close()

    run(main)


class Unwritable(Release):
    """A release that cannot record its decisions."""

    def record(self, event: bytes) -> None:
        raise OSError(f"{len(event)} bytes were lost")


def test_an_unrecorded_answer_is_never_sent() -> None:
    async def main() -> None:
        async with served(Unwritable()) as here:
            _, _, body = await here.post(NONCES)
            with exchange(bytes.fromhex(json.loads(body)["nonce"][2:]), WANTED) as mine:
                status, _, body = await here.post(RELEASES, request(mine))
            assert status == 500
            assert b"sealed" not in body
            assert [type(error) for error in here.failures] == [OSError]

    run(main)


def test_a_pending_request_is_answered_when_the_server_ends() -> None:
    entered, let_go = threading.Event(), threading.Event()

    class Slow(Release):
        def record(self, event: bytes) -> None:
            entered.set()
            assert let_go.wait(10)
            super().record(event)

    async def main() -> None:
        async with served(Slow()) as here:
            asked = asyncio.create_task(here.post(RELEASES, b"{}"))
            await asyncio.to_thread(entered.wait, 10)
            asyncio.get_running_loop().call_later(0.2, let_go.set)
        status, _, body = await asked
        assert status == 200
        assert here.release.records == [body]

    run(main)
