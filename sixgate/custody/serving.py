"""HTTP server of ``sixgate custody``, with limits on request size, time and concurrency.

``POST /v1/reads`` takes an agent's signed request and returns ``{box, failed}``, with the answer
sealed to the signer of the request. ``POST /v1/reading-key`` returns ``{public_key}``, to which
client shares are sealed. A refusal is a problem (RFC 9457) with the code and sentence that the
embedded form returns.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus

import orjson
from aiohttp import web

from sixgate.api import ApiError, Json
from sixgate.https.server import BoundedServer, ListenConfig, problem

READS, READING_KEY = "/v1/reads", "/v1/reading-key"
REQUEST_BYTES_MAX = 16 * 1024
ADDRESS_LENGTH_MAX = 64
STATUS = {
    "read_refused": HTTPStatus.UNAUTHORIZED,
    "access_refused": HTTPStatus.FORBIDDEN,
    "secret_unknown": HTTPStatus.NOT_FOUND,
    "custody_failed": HTTPStatus.UNPROCESSABLE_ENTITY,
    "custody_unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
Read = Callable[[bytes, str], Json]


class CustodyServer:
    """Runs ``read(request, client_address)`` for each request in ``threads``.

    Any error but ``ApiError`` is passed to ``failed``: the outcome of the audit record is then
    unknown, and the process must end.
    """

    def __init__(
        self,
        reading_key: Json,
        read: Read,
        listening: ListenConfig,
        threads: Executor,
        failed: Callable[[BaseException], None],
    ) -> None:
        self._reading_key = reading_key
        self._read = read
        self._threads = threads
        self._failed = failed
        pages = [web.post(READS, self._answer), web.post(READING_KEY, self._answer_reading_key)]
        self._server = BoundedServer(pages, listening, REQUEST_BYTES_MAX)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Listen until the block ends, then finish running requests."""
        return self._server.serving()

    async def _answer_reading_key(self, _: web.Request) -> web.Response:
        return _json(self._reading_key)

    async def _answer(self, request: web.Request) -> web.Response:
        raw = await self._server.body_of(request)
        address = (request.remote or "unknown")[:ADDRESS_LENGTH_MAX]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._read, raw, address)
        except ApiError as error:
            return problem(STATUS[error.code], code=error.code, detail=str(error))
        except Exception as error:  # noqa: BLE001 - any error must end the process
            self._failed(error)
            raise web.HTTPInternalServerError from None
        return _json(found)


def _json(found: Json) -> web.Response:
    return web.Response(body=orjson.dumps(found), content_type="application/json")
