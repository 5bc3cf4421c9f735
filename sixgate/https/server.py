"""Server over mutual TLS with limits on number, size and time of requests.

The common name of its certificate identifies a client. A connection carries one request; every
error is a problem detail (RFC 9457).
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
class ListenConfig:
    """Listen address; with ``tls``, ``clients`` are the accepted common names of certificates.

    ``section`` is the section of the settings, for error messages.
    """

    section: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    clients: frozenset[str]


class BoundedServer:
    """Serves routes to known clients; a request body has at most ``body_bytes_max`` bytes."""

    def __init__(
        self, routes: Sequence[web.RouteDef], listening: ListenConfig, body_bytes_max: int
    ) -> None:
        self._routes = routes
        self._listening = listening
        self._body_bytes_max = body_bytes_max
        self._pending = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen until the block ends; pending requests are answered first."""
        app = web.Application(middlewares=[self._guarded], client_max_size=self._body_bytes_max)
        app.add_routes(self._routes)
        runner = web.AppRunner(
            app,
            access_log=None,
            auto_decompress=False,
            lingering_time=1.0,
            shutdown_timeout=ENDING_S_MAX,
        )
        await runner.setup()
        assert runner.server is not None  # noqa: S101 - set by setup()
        acceptor = Acceptor(runner.server, self._listening.tls)
        try:
            async with acceptor.open(await self._listener()):
                yield
        finally:
            await runner.cleanup()

    async def body_of(self, request: web.Request) -> bytes:
        """Read a request's body; raise an HTTP error if it is too large or too slow."""
        if (request.content_length or 0) > self._body_bytes_max:
            raise web.HTTPRequestEntityTooLarge(self._body_bytes_max, request.content_length or 0)
        async with asyncio.timeout(BODY_S_MAX):
            return await read_body(request)

    async def _listener(self) -> socket.socket:
        at = self._listening
        try:
            return await listener_at(at.host, at.port)
        except OSError as error:
            raise SettingsError(
                f"cannot listen at {at.host}:{at.port} ({error.strerror}): correct host and port "
                f"in [{at.section}]"
            ) from None

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refuse unknown clients and requests above the limit; turn errors into problem details."""
        if self._pending >= REQUESTS_MAX:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE)
        self._pending += 1
        try:
            if not self._is_known(request):
                return problem(HTTPStatus.FORBIDDEN)
            response = await handler(request)
        except TimeoutError:
            return problem(HTTPStatus.REQUEST_TIMEOUT)
        except web.HTTPException as error:
            return problem(HTTPStatus(error.status))
        finally:
            self._pending -= 1
        response.force_close()
        return response

    def _is_known(self, request: web.Request) -> bool:
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


async def read_body(request: web.Request) -> bytes:
    """Read a request's body; raise an HTTP error if the connection was cut."""
    try:
        return await request.read()
    except (ConnectionError, web.RequestPayloadError) as error:
        raise web.HTTPBadRequest from error


def problem(status: HTTPStatus, **members: str) -> web.Response:
    """Return a problem detail with additional members; it closes the connection."""
    plain = {"type": "about:blank", "title": status.phrase, "status": status.value}
    body = orjson.dumps(plain | members)
    response = web.Response(body=body, status=status, content_type=PROBLEM)
    response.force_close()
    return response
