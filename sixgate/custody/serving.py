"""Secrets over HTTP: each request bounded in size, time and number, and on record before its end.

``POST /v1/reads`` takes an agent's signed request and gives ``{box, failed}``, the answer sealed
for whoever signed; ``POST /v1/reading-key`` gives ``{public_key}``, which clients' shares are
sealed for. A refusal is a problem (RFC 9457) with the code and the sentence of the embedded form.
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
    """Serves ``read``, which ``threads`` do; it takes a request and the client's address.

    What ends one without an answer is given to ``failed``: then nobody knows what is on record,
    and the process has to end.
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
        pages = [web.post(READS, self._answer), web.post(READING_KEY, self._tell_key)]
        self._server = BoundedServer(pages, listening, REQUEST_BYTES_MAX)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """Listen until the block ends; requests that are under way then get their answer."""
        return self._server.serving()

    async def _tell_key(self, _: web.Request) -> web.Response:
        return _json(self._reading_key)

    async def _answer(self, request: web.Request) -> web.Response:
        raw = await self._server.body_of(request)
        address = (request.remote or "unknown")[:ADDRESS_LENGTH_MAX]
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._read, raw, address)
        except ApiError as error:
            return problem(STATUS[error.code], code=error.code, detail=str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it must end the process
            self._failed(error)
            raise web.HTTPInternalServerError from None
        return _json(found)


def _json(found: Json) -> web.Response:
    return web.Response(body=orjson.dumps(found), content_type="application/json")
