"""Serving callers over mutual TLS, each of them bounded in number, size and time.

Who asks is the common name of its certificate. One connection carries one request, and whatever
is no answer is a problem (RFC 9457).
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from aiohttp import web

from sixgate.errors import SettingsError
from sixgate.https.acceptor import Acceptor, listener_at

PROBLEM = "application/problem+json"
REQUESTS_MAX = 32
BODY_S_MAX, ENDING_S_MAX = 5.0, 10.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen; with ``tls``, who may ask by the common name of the certificate.

    ``section`` names the section of the settings that says so.
    """

    section: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    clients: frozenset[str]


class BoundedServer:
    """Serves some pages to whom it knows; a body is at most ``body_bytes_max`` long."""

    def __init__(
        self, pages: Sequence[web.RouteDef], listening: Listening, body_bytes_max: int
    ) -> None:
        self._pages = pages
        self._listening = listening
        self._body_bytes_max = body_bytes_max
        self._under_way = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen until the block ends; requests that are under way then get their answer."""
        app = web.Application(middlewares=[self._guarded], client_max_size=self._body_bytes_max)
        app.add_routes(self._pages)
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            lingering_time=1.0,
            shutdown_timeout=ENDING_S_MAX,
        )
        await runner.setup()
        assert runner.server is not None  # noqa: S101 - set up just now
        door = Acceptor(runner.server, self._listening.tls)
        try:
            async with door.open(await self._listener()):
                yield
        finally:
            await runner.cleanup()

    async def body_of(self, request: web.Request) -> bytes:
        """Return a request's body, if it is short and comes soon; else it is a problem."""
        if (request.content_length or 0) > self._body_bytes_max:
            raise web.HTTPRequestEntityTooLarge(self._body_bytes_max, request.content_length or 0)
        async with asyncio.timeout(BODY_S_MAX):
            return await whole(request)

    async def _listener(self) -> socket.socket:
        at = self._listening
        try:
            return await listener_at(at.host, at.port)
        except OSError as error:
            raise SettingsError(
                f"nothing can listen at {at.host}:{at.port} ({error.strerror}): mend host and port "
                f"in [{at.section}]"
            ) from None

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse strangers and whoever comes when all places are taken; tell problems as such."""
        if self._under_way >= REQUESTS_MAX:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE)
        self._under_way += 1
        try:
            if not self._knows(request):
                return problem(HTTPStatus.FORBIDDEN)
            response = await handler(request)
        except TimeoutError:
            return problem(HTTPStatus.REQUEST_TIMEOUT)
        except web.HTTPException as error:
            return problem(HTTPStatus(error.status))
        finally:
            self._under_way -= 1
        response.force_close()
        return response

    def _knows(self, request: web.Request) -> bool:
        if self._listening.tls is None:
            return True
        certificate = request.get_extra_info("peercert") or {}
        names = [
            value
            for part in certificate.get("subject", ())
            for name, value in part
            if name == "commonName"
        ]
        return len(names) == 1 and names[0] in self._listening.clients


async def whole(request: web.Request) -> bytes:
    """Return a request's body; one that was cut is a problem, though nobody may be left to hear."""
    try:
        return await request.read()
    except (ConnectionError, web.RequestPayloadError) as error:
        raise web.HTTPBadRequest from error


def problem(status: HTTPStatus, **told: str) -> web.Response:
    """Return a problem with what else is told of it; its connection ends."""
    plain = {"type": "about:blank", "title": status.phrase, "status": status.value}
    body = orjson.dumps(plain | told)
    response = web.Response(body=body, status=status, content_type=PROBLEM)
    response.force_close()
    return response
