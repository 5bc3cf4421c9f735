"""MCP over streamable HTTP: an ASGI application to mount at ``/mcp``.

The caller's bearer (a token, or an API key, because desktop clients send a constant header) is
passed on to the API, which authenticates it; this module decides nothing.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import httpx
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sixgate_client import AsyncClient
from sixgate_client.session import AGENT_KEY
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sixgate.api.callers import NO_BEARER, bearer_of, unauthorized
from sixgate.api.client_address import SCOPE_MEMBER
from sixgate.api.limits import CHECK_PRINCIPAL
from sixgate.api.problem_handlers import response_of
from sixgate.api.problems import Problem
from sixgate.mcp.server import Context, create_server

# The request that a tool acts for, so that the API records the caller's address and not its own,
# and counts the call against the caller's rate.
_ACTING_FOR: ContextVar[Scope | None] = ContextVar("acting_for", default=None)
_PASSED_ON = ("client", SCOPE_MEMBER, CHECK_PRINCIPAL)
CLIENTS_MAX = 1_000
BODY_BYTES_MAX = 128 * 1024
"""Parsed before the API authenticates the bearer; the code of a new contract fits."""


class InProcess(httpx.AsyncBaseTransport):
    """Calls an application with the address of the tool's caller.

    httpx's own one looks for a module that is not installed at every request, for a millisecond.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its whole response."""
        caller = _ACTING_FOR.get() or {}
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": request.url.scheme,
            "path": request.url.path,
            "raw_path": request.url.raw_path.partition(b"?")[0],
            "query_string": request.url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "server": (request.url.host, request.url.port),
            "client": None,
            **{name: caller[name] for name in _PASSED_ON if name in caller},
        }
        call = _Call(await request.aread())
        await self._app(scope, call.receive, call.send)
        return httpx.Response(call.status, headers=call.headers, content=b"".join(call.parts))


class _Call:
    """One call of an application: its request's body, and what it answers."""

    def __init__(self, body: bytes) -> None:
        self._messages = [{"type": "http.request", "body": body, "more_body": False}]
        self._ended = asyncio.Event()
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []

    async def receive(self) -> Message:
        """Return the body, and the end of the connection after the response."""
        if self._messages:
            return self._messages.pop()
        await self._ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Keep a part of the response."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._ended.set()


class McpEndpoint:
    """Serves each request with the client of its bearer; enter ``running`` before."""

    def __init__(self, transport: httpx.AsyncBaseTransport, base_url: str) -> None:
        """``transport`` reaches the API; it is shared by all clients and closed by its owner."""
        self._transport = _Shared(transport)
        self._base_url = base_url
        self._clients: OrderedDict[bytes, AsyncClient] = OrderedDict()
        self._sessions = StreamableHTTPSessionManager(
            create_server(self._client_of),
            json_response=True,
            stateless=True,  # so any gateway of several may answer any request
            max_request_body_size=BODY_BYTES_MAX,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve requests meanwhile; once per instance."""
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; refuse it without a bearer and from a web page."""
        headers = Headers(scope=scope)
        answer: ASGIApp = self._sessions.handle_request
        if "origin" in headers:
            # No page may call tools: neither across origins nor by DNS rebinding.
            problem = Problem(403, "origin_refused", "Web pages may not call MCP tools.")
            answer = response_of(problem)
        elif not bearer_of(headers):
            answer = response_of(unauthorized(NO_BEARER))
        elif scope["method"] != "POST":
            sentence = "The server keeps no MCP sessions, so it takes POST only."
            problem = Problem(405, "method_not_allowed", sentence, headers={"Allow": "POST"})
            answer = response_of(problem)
        await answer(scope, receive, send)

    def _client_of(self, context: Context) -> AsyncClient:
        bearer = ""
        if context.request is not None:
            bearer = bearer_of(context.request.headers)
            _ACTING_FOR.set(context.request.scope)
        name = hashlib.sha256(bearer.encode()).digest()
        client = self._clients.pop(name, None) or self._new(bearer)
        self._clients[name] = client
        if len(self._clients) > CLIENTS_MAX:
            self._clients.popitem(last=False)  # owns no connection: the transport does
        return client

    def _new(self, bearer: str) -> AsyncClient:
        is_key = bearer.startswith(AGENT_KEY)
        key, token = (bearer, None) if is_key else (None, bearer)
        client = AsyncClient(self._base_url, api_key=key, token=token, transport=self._transport)
        # The model decides on retries: a wait here would occupy a request of the server.
        client.session.attempts_max = 1
        return client


class _Shared(httpx.AsyncBaseTransport):
    """A transport that its clients do not close."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        return await self._transport.handle_async_request(request)
