"""MCP over streamable HTTP: an ASGI application to mount at ``/mcp``.

The caller's bearer (a token, or an API key, because desktop clients send a constant header) is
passed on to the API, which authenticates it; this module decides nothing.
"""

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from sixgate_client.async_client import AsyncOperations
from sixgate_client.connection import session_of
from sixgate_client.session import AGENT_KEY, Session
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sixgate.api.callers import NO_BEARER, bearer_of, unauthorized
from sixgate.api.problem_handlers import response_of
from sixgate.api.problems import Problem
from sixgate.mcp.in_process import SERVER, InProcessClient
from sixgate.mcp.server import Context, create_server
from sixgate.mcp.strict_messages import read_body, refused

SESSIONS_MAX = 1_000
BODY_BYTES_MAX = 128 * 1024
"""Parsed before the API authenticates the bearer; the code of a new contract fits."""


class McpEndpoint:
    """Serves each request with the session of its bearer; enter ``running`` before."""

    def __init__(self, app: ASGIApp) -> None:
        """``app`` is the API."""
        self._app = app
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()
        self._manager = StreamableHTTPSessionManager(
            create_server(self._client_of),
            json_response=True,
            stateless=True,  # so any gateway of several may answer any request
            max_request_body_size=BODY_BYTES_MAX,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve requests meanwhile; once per instance."""
        async with self._manager.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; refuse it without a bearer and from a web page."""
        headers = Headers(scope=scope)
        answer: ASGIApp = self._manager.handle_request
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
        else:
            body, receive = await read_body(receive, BODY_BYTES_MAX)
            if body is not None and (refusal := refused(body)):
                content = refusal.model_dump_json(by_alias=True)
                answer = Response(content, 400, media_type="application/json")
        await answer(scope, receive, send)

    def _client_of(self, context: Context) -> AsyncOperations:
        if context.request is None:
            raise TypeError("only a request calls a tool")
        session = self._session_of(bearer_of(context.request.headers))
        return InProcessClient(self._app, session, context.request.scope)

    def _session_of(self, bearer: str) -> Session:
        name = hashlib.sha256(bearer.encode()).digest()
        session = self._sessions.pop(name, None) or _new_session(bearer)
        self._sessions[name] = session
        if len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
        return session


def _new_session(bearer: str) -> Session:
    is_key = bearer.startswith(AGENT_KEY)
    session = session_of(bearer if is_key else None, None if is_key else bearer, SERVER)
    # The model decides on retries: a wait here would occupy a request of the server.
    session.attempts_max = 1
    return session
