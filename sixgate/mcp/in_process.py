"""Client of an application in the same process, which acts for the caller of a tool."""

import asyncio
import logging
from urllib.parse import unquote, urlencode

from sixgate_client.async_client import AsyncOperations
from sixgate_client.session import Reply, Request, Session
from starlette.types import ASGIApp, Message, Scope

from sixgate.api.client_address import SCOPE_MEMBER
from sixgate.api.exchange import DISCONNECTED
from sixgate.api.limits import CHECK_PRINCIPAL

SERVER = "sixgate"
# So that the API records the caller's address, and counts the call against the caller's rate.
_PASSED_ON = ("client", SCOPE_MEMBER, CHECK_PRINCIPAL)
_LOG = logging.getLogger("sixgate.mcp")


class InProcessClient(AsyncOperations):
    """Acts for the caller of one request, with the session of its bearer.

    It builds ASGI calls itself: an HTTP client library takes several times as long as a read.
    """

    def __init__(self, app: ASGIApp, session: Session, caller: Scope) -> None:
        """``caller`` is the request in which the tool was called."""
        self.session = session
        self._app = app
        self._passed_on = {name: caller[name] for name in _PASSED_ON if name in caller}

    async def exchange(self, request: Request) -> Reply:
        """Call the application and return its whole reply."""
        body = request.body or b""
        headers = {"host": SERVER, "content-length": str(len(body)), **request.headers}
        scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": "http",
            "path": unquote(request.path),
            "raw_path": request.path.encode(),
            "query_string": urlencode(request.params).encode(),
            "root_path": "",
            "headers": [(name.lower().encode(), text.encode()) for name, text in headers.items()],
            "server": (SERVER, None),
            "client": None,
            **self._passed_on,
        }
        call = _Call(body)
        try:
            await self._app(scope, call.receive, call.send)
        except Exception as error:
            if not call.is_answered:
                raise
            # The application answers a defect and raises it too, for the server's log. The answer
            # counts, as on a connection: the intent may be signed, so the model needs its key.
            _LOG.error("mcp.tool_failed", extra={"error": type(error).__name__})
        return call.reply()


class _Call:
    """One call of an application: its request's body, and what it answers."""

    def __init__(self, body: bytes) -> None:
        self._messages = [{"type": "http.request", "body": body, "more_body": False}]
        self._ended = asyncio.Event()
        self._status = 0
        self._headers: dict[str, str] = {}
        self._parts: list[bytes] = []

    @property
    def is_answered(self) -> bool:
        """Whether the response is complete."""
        return self._ended.is_set()

    async def receive(self) -> Message:
        """Return the body, and the end of the connection after the response."""
        if self._messages:
            return self._messages.pop()
        await self._ended.wait()
        return dict(DISCONNECTED)

    async def send(self, message: Message) -> None:
        """Keep a part of the response."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            named = message.get("headers", ())
            self._headers = {name.decode("latin-1"): text.decode("latin-1") for name, text in named}
        else:
            self._parts.append(message.get("body", b""))
            if not message.get("more_body", False):
                self._ended.set()

    def reply(self) -> Reply:
        """Return the response."""
        return Reply(self._status, self._headers, b"".join(self._parts))
