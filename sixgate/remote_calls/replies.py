"""Parts of ASGI applications for Sixgate's own processes: bodies, replies, known clients."""

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from http import HTTPStatus
from typing import Any, NamedTuple, TypeVar

from signer.custody.thread_pool import run_in_thread
from sixgate.api.client_address import SCOPE_MEMBER, UNKNOWN
from sixgate.api.exchange import App, Receive, Scope, Send
from sixgate.api.refusal import Refusal

T = TypeVar("T")
JSON = b"application/json"
CLIENT_UNKNOWN = Refusal(
    HTTPStatus.FORBIDDEN,
    "client_unknown",
    "The name in the client's certificate is not among the clients of this server.",
)


class Caller(NamedTuple):
    """Who sent a request: the common name of its certificate, if it has one, and its address."""

    certificate_name: str | None
    address: str


def caller_of(scope: Scope) -> Caller:
    """Return who sent a request."""
    tls = scope.get("extensions", {}).get("tls", {})
    return Caller(tls.get("client_cert_name"), scope.get(SCOPE_MEMBER, UNKNOWN))


def only_clients(app: App, names: Collection[str]) -> App:
    """Wrap an application: clients whose certificates have other names get 403."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and caller_of(scope).certificate_name not in names:
            await send_refusal(send, CLIENT_UNKNOWN)
        else:
            await app(scope, receive, send)

    return guarded


async def body_of(receive: Receive) -> bytes | None:
    """Return the whole body of a request, or None if its client left before its end."""
    parts = []
    while (message := await receive())["type"] != "http.disconnect":
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)
    return None


async def send_json(send: Send, body: bytes) -> None:
    """Send a successful reply."""
    headers = [(b"content-type", JSON), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": HTTPStatus.OK.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def send_refusal(send: Send, refusal: Refusal) -> None:
    """Send a problem document."""
    body = refusal.body()
    start = {"type": "http.response.start", "status": refusal.status.value}
    await send(start | {"headers": refusal.headers(body)})
    await send({"type": "http.response.body", "body": body})


async def in_thread(work: Callable[[], T]) -> T:
    """Run work in a daemon thread: work that hangs keeps neither other requests nor the exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(set_outcome: Callable[[Any], None], outcome: Any) -> None:
        if not future.done():  # the server stopped waiting for it
            set_outcome(outcome)

    def run() -> None:
        end: tuple[Callable[[Any], None], Any]
        try:
            end = future.set_result, work()
        except BaseException as error:  # noqa: BLE001 - raised where the result is awaited
            end = future.set_exception, error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, *end)

    run_in_thread(run)
    return await future
