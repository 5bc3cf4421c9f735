"""One request and its reply under limits, as wrappers of ASGI's ``receive`` and ``send``."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

from sixgate.api.anonymity import Anonymity
from sixgate.api.refusal import Refusal, secured
from sixgate.api.request_head import BODY_LATE

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_SPLITS = re.compile(rb"[\r\n\0]")
DISCONNECTED = {"type": "http.disconnect"}


class Exchange:
    """One request and its reply, between the server and the application.

    ``limit`` bounds the bytes of the request's body, also without a Content-Length. ``anonymity``
    bounds its time until the request has a principal; None stands for a request that has one.
    """

    __slots__ = ("_anonymity", "_body_left", "_is_body_complete", "_limit", "_receive", "_send",
                 "_tls", "complete", "refused", "status")  # fmt: skip

    def __init__(
        self,
        receive: Receive,
        send: Send,
        limit: int,
        anonymity: Anonymity | None = None,
        *,
        tls: bool,
    ) -> None:
        self._receive = receive
        self._anonymity = anonymity
        self._is_body_complete = False
        self._send = send
        self._limit = self._body_left = limit
        self._tls = tls
        self.status: int | None = None
        self.complete = False
        self.refused = False

    async def receive(self) -> Message:
        """Pass on a part of the body; refuse the request at its limit."""
        if self.refused:
            return dict(DISCONNECTED)
        message = await self._next_message()
        if message is None:
            return dict(DISCONNECTED)
        self._is_body_complete = not message.get("more_body", False)
        self._body_left -= len(message.get("body", b""))
        if self._body_left >= 0:
            return message
        if self.status is not None:
            raise ConnectionAbortedError("the body is too large, and its reply has begun")
        await self.refuse(body_too_large(self._limit))
        return dict(DISCONNECTED)

    async def _next_message(self) -> Message | None:
        """Return a part of the body, or what follows it; refuse a slow anonymous request."""
        anonymity = self._anonymity
        if anonymity is None or anonymity.has_ended or self._is_body_complete:
            return await self._receive()
        refusal = anonymity.enter()
        if refusal is None:
            try:
                async with anonymity.deadline():
                    return await self._receive()
            except TimeoutError:
                refusal = BODY_LATE._replace(closes=True)
        await self.refuse(refusal)
        return None

    async def send(self, message: Message) -> None:
        """Pass on a part of the reply; drop it if the request was refused."""
        if self.refused:
            return
        if message["type"] == "http.response.start":
            headers = secured(message.get("headers", ()), tls=self._tls)
            # Checked here, because the server would close the connection without a reply.
            if _SPLITS.search(b"".join([part for header in headers for part in header])):
                raise ValueError("a header of the reply contains a line break")
            message = {**message, "headers": headers}
            self.status = message["status"]
        elif not message.get("more_body", False):
            self.complete = True
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Send a refusal as the reply."""
        body = refusal.body()
        start = {"type": "http.response.start", "status": refusal.status.value}
        await self.send(start | {"headers": refusal.headers(body)})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})
        self.refused = True


def body_too_large(limit: int) -> Refusal:
    """Return the refusal of a body above its limit."""
    detail = f"The body of this request may have at most {limit} bytes."
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail, closes=True)
