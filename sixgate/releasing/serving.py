"""HTTP server of a release: nonces and answers, limited in size, time and number of requests.

``POST /v1/nonces`` returns a nonce. ``POST /v1/releases`` returns the signed answer to a request, a
grant or a refusal, with status 200: only its signature proves it. Other errors are problem details
(RFC 9457).
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager

from aiohttp import web

from schemas.canonical import canonical_bytes
from signer.attestation.release.request import REQUEST_BYTES_MAX
from signer.attestation.release.service import ReleaseService
from sixgate.https.server import BoundedServer, ListenConfig

NONCES, RELEASES = "/v1/nonces", "/v1/releases"


class ReleaseServer:
    """Serves one ``ReleaseService``, which runs in ``threads``.

    An exception of the service goes to ``failed``: the fate of the decision's record is then
    unknown, and the process must end.
    """

    def __init__(
        self,
        service: ReleaseService,
        listening: ListenConfig,
        threads: Executor,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._service = service
        self._threads = threads
        self._failed = failed
        routes = [web.post(NONCES, self._nonce), web.post(RELEASES, self._answer)]
        self._server = BoundedServer(routes, listening, REQUEST_BYTES_MAX)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Listen until the block ends; pending requests are answered first."""
        return self._server.serving()

    async def _nonce(self, _: web.Request) -> web.Response:
        nonce = await self._in_thread(self._service.nonce)
        body = canonical_bytes({"nonce": f"0x{nonce.hex()}"})
        return web.Response(body=body, content_type="application/json")

    async def _answer(self, request: web.Request) -> web.Response:
        raw = await self._server.body_of(request)
        answer = await self._in_thread(lambda: self._service.answer(raw))
        return web.Response(body=answer, content_type="application/json")

    async def _in_thread(self, work: Callable[[], bytes]) -> bytes:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except Exception as error:  # noqa: BLE001 - any failure must end the process
            self._failed(error)
            raise web.HTTPInternalServerError from None
