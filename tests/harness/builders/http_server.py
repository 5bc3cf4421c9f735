"""An HTTP server with a small ASGI application, and raw connections to it."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import orjson

from sixgate.api.exchange import App, Receive, Scope, Send
from sixgate.api.limits import check_rate
from sixgate.api.server import Address, Limits, Listen, Tcp, serving

HOST_LINE = b"Host: sixgate.example\r\n"
GET = b"GET /seen HTTP/1.1\r\n" + HOST_LINE + b"\r\n"
LAST_GET = b"GET /seen HTTP/1.1\r\n" + HOST_LINE + b"Connection: close\r\n\r\n"
CHUNK = bytes(64 * 1024)
ANSWER_S_MAX = 60.0


class Answer(NamedTuple):
    """A response: status, headers with names in lower case, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object."""
        found: dict[str, Any] = orjson.loads(self.body)
        return found


class EchoApp:
    """Answers what it was asked; paths select other behaviour.

    ``seen`` are the complete requests in their order, ``cut`` those that ended early, and
    ``sent_bytes`` what ``/endless`` could write. ``/wait`` answers after ``release()``. The header
    ``x-principal`` names the principal of a request, which counts before its body is read.
    """

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.cut: list[str] = []
        self.sent_bytes = 0
        self.waiting = 0
        self._released = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None

    def release(self) -> None:
        """Let the requests to ``/wait`` continue; callable from another thread."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._released.set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            return
        name = f"{scope['method']} {scope['path']}"
        if principal := dict(scope["headers"]).get(b"x-principal"):
            check_rate(scope, principal.decode())
        body = await _body(receive)
        if body is None:
            self.cut.append(name)
            return
        self.seen.append(name)
        match scope["path"]:
            case "/wait":
                self._loop = asyncio.get_running_loop()
                self.waiting += 1
                await self._released.wait()
                self.waiting -= 1
            case "/defect":
                raise ValueError("password=hunter2")
            case "/endless":
                await self._endless(send)
                return
        extensions = scope.get("extensions", {})
        reply = {
            "body": body.decode("latin-1"),
            "client": scope["sixgate.client_ip"],
            "certificate": extensions.get("tls", {}).get("client_cert_name"),
            "query": scope["query_string"].decode(),
        }
        await answer(send, orjson.dumps(reply), _asked_headers(scope))

    async def _endless(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        # Below a size that no kernel buffers, so that only a limit ends it.
        while self.sent_bytes < 2**31:
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
            self.sent_bytes += len(CHUNK)
            await asyncio.sleep(0)


async def answer(send: Send, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    """Send a response with status 200."""
    headers = [(b"content-length", b"%d" % len(body)), *headers]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes | None:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


class Attacked(NamedTuple):
    """A server that gets every request of a test file, and its application."""

    address: Address
    app: EchoApp


def _asked_headers(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the response headers that a request asks for: ``x-answer: name: value``."""
    if scope["path"] == "/split":
        return [(b"x-split", b"a\r\nset-cookie: b=c")]
    asked = dict(scope["headers"]).get(b"x-answer", b"")
    name, _, value = asked.partition(b": ")
    return [(name, value)] if name else []


@contextmanager
def served(app: App, *, tls: ssl.SSLContext | None = None, **limits: Any) -> Iterator[Address]:
    """Serve an application at a free loopback port."""
    listen = Listen(tcp=(Tcp(tls=tls),), section="tests")
    with serving(app, listen, Limits.model_validate(limits)) as address:
        yield address


def connected(address: Address) -> socket.socket:
    """Open a TCP connection to a server."""
    parts = urlsplit(address.url)
    return socket.create_connection((str(parts.hostname), parts.port or 0), ANSWER_S_MAX)


def rest_of(link: socket.socket) -> bytes:
    """Read until the server closes; a reset counts as its end."""
    received = b""
    with suppress(ConnectionError):
        while part := link.recv(1 << 16):
            received += part
    return received


def ask(address: Address, request: bytes) -> list[Answer]:
    """Send bytes and return the responses up to the end of the connection."""
    with connected(address) as link:
        link.sendall(request)
        return answers(rest_of(link))


def ask_once(link: socket.socket, request: bytes) -> Answer:
    """Send a request and return its response; the connection stays open."""
    link.sendall(request)
    received = b""
    while not (found := answers(received)):
        part = link.recv(1 << 16)
        assert part, "the connection was closed"
        received += part
    return found[0]


def answers(received: bytes) -> list[Answer]:
    """Parse the complete responses with a Content-Length."""
    found = []
    while b"\r\n\r\n" in received:
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)
        }
        length = int(headers.get("content-length", 0))
        if len(rest) < length:
            break
        found.append(Answer(int(first.split(" ")[1]), headers, rest[:length]))
        received = rest[length:]
    return found
