"""A release over HTTP: nonces and answers, each request bounded in size, time and number.

``POST /v1/nonces`` gives a nonce, ``POST /v1/releases`` takes a request and gives the signed
answer, a grant or a refusal, with status 200: what it says is proven by its signature alone.
Whatever else is wrong is a problem (RFC 9457).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager

from aiohttp import web

from schemas.canonical import canonical_bytes
from signer.attestation.release.request import REQUEST_BYTES_MAX
from signer.attestation.release.service import ReleaseService
from sixgate.https.server import BoundedServer, Listening

NONCES, RELEASES = "/v1/nonces", "/v1/releases"


class ReleaseServer:
    """Serves one desk, whose work is done by ``threads``.

    What ends a request without an answer is given to ``failed``: then nobody knows what is on
    record, and the process has to end.
    """

    def __init__(
        self,
        desk: ReleaseService,
        listening: Listening,
        threads: Executor,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._desk = desk
        self._threads = threads
        self._failed = failed
        pages = [web.post(NONCES, self._nonce), web.post(RELEASES, self._answer)]
        self._server = BoundedServer(pages, listening, REQUEST_BYTES_MAX)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Listen until the block ends; requests that are under way then get their answer."""
        return self._server.serving()

    async def _nonce(self, _: web.Request) -> web.Response:
        nonce = await self._in_thread(self._desk.nonce)
        body = canonical_bytes({"nonce": f"0x{nonce.hex()}"})
        return web.Response(body=body, content_type="application/json")

    async def _answer(self, request: web.Request) -> web.Response:
        raw = await self._server.body_of(request)
        answer = await self._in_thread(lambda: self._desk.answer(raw))
        return web.Response(body=answer, content_type="application/json")

    async def _in_thread(self, work: Callable[[], bytes]) -> bytes:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end the process
            self._failed(error)
            raise web.HTTPInternalServerError from None
