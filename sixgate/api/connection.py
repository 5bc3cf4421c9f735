"""HTTP connection: uvicorn's protocol with limits of time and size, and strict parsing.

A connection awaits a head, reads it, reads its body, and awaits the next one. Each of these has a
deadline. A refused request ends the connection: what follows it cannot be trusted to be a request.
"""

import asyncio
from enum import Enum
from typing import Any, NoReturn, cast

import httptools
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from sixgate.api.refusal import Refusal
from sixgate.api.request_head import (
    BODY_LATE,
    HEAD_LATE,
    HEAD_TOO_LARGE,
    MALFORMED,
    NOT_FRAMED,
    PIPELINED,
    TRAILERS,
    head_refusal,
)
from sixgate.api.transport import BoundedTransport
from sixgate.config.limits import Limits

PIPELINED_COUNT_MAX = 16
# A chunk of one byte needs five bytes more: its size and two line ends.
_FRAMING_BYTES_PER_BYTE = 8
_FIELD_BYTES = len(": \r\n")
_LINE_BYTES = len("OPTIONS  HTTP/1.1\r\n")


class Connections(ServerState):
    """All connections of a server. ``waiting`` are those without a request, oldest first."""

    def __init__(self, limits: Limits, connections_max: int) -> None:
        super().__init__()
        self.limits = limits
        self.waiting: dict[Connection, None] = {}
        self._connections_max = connections_max

    def make_room(self) -> bool:
        """Return whether a new connection is accepted; it may replace the oldest waiting one."""
        if len(self.connections) < self._connections_max:
            return True
        if not self.waiting:
            return False
        oldest = next(iter(self.waiting))
        oldest.abort()
        return True


class _Reading(Enum):
    NOTHING = 0
    HEAD = 1
    BODY = 2


class _RefusedError(Exception):
    """Stops the parser."""


class Connection(HttpToolsProtocol):
    """One connection."""

    transport: BoundedTransport
    server_state: Connections

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = self.server_state.limits
        self._reading = _Reading.NOTHING
        self._head_bytes = 0  # of the complete lines
        self._fed_bytes = 0  # of the head, also of an incomplete line
        self._framing_bytes = 0
        self._deadline: asyncio.TimerHandle | None = None
        self._running: RequestResponseCycle | None = None
        self._refusal: Refusal | None = None
        self._ended = False  # no further request is read
        self._extensions: dict[str, Any] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head, or close the connection if there are too many."""
        accepted = self.server_state.make_room()
        super().connection_made(transport)
        self.transport = BoundedTransport(transport, self.loop, self._limits.write_s_max)
        if not accepted:
            self.abort()
            return
        if self.scheme == "https":
            self._extensions["tls"] = {"client_cert_name": _common_name(transport)}
        self.server_state.waiting[self] = None
        self._arm(self._limits.head_s_max)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and tell the application."""
        self._disarm()
        self._unset_keepalive_if_required()
        self.server_state.waiting.pop(self, None)
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        self.transport.unwatch()

    def data_received(self, data: bytes) -> None:
        """Parse bytes, unless the connection closes: then they are discarded."""
        if self._ended or self.transport.is_closing():
            return
        if self._reading is _Reading.NOTHING and data[0] in b"\r\n" and data[:2] != b"\r\n":
            self._refuse(MALFORMED)
            return
        if self._reading is _Reading.BODY:
            self._framing_bytes += len(data)
        else:
            self._fed_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._ended = True  # its reply closes the connection
        except httptools.HttpParserError:
            self._refuse(self._refusal or MALFORMED)
        else:
            self._await_rest()

    def _await_rest(self) -> None:
        """Bound time and size of what is still missing."""
        if self._reading is _Reading.HEAD:
            if self._fed_bytes > self._limits.head_bytes_max:
                self._refuse(HEAD_TOO_LARGE)
            else:
                self._arm(self._limits.head_s_max)
        elif self._reading is _Reading.BODY:
            if self._framing_bytes > self._limits.head_bytes_max:
                self._refuse(NOT_FRAMED)
            else:
                self._arm(self._limits.body_s_max)

    # Callbacks of the parser. An exception stops it, and data_received sends the refusal.

    def on_message_begin(self) -> None:
        """Begin a head."""
        if len(self.pipeline) >= PIPELINED_COUNT_MAX:
            self._stop(PIPELINED)
        super().on_message_begin()
        if self._extensions:
            self.scope["extensions"] = self._extensions
        self._unset_keepalive_if_required()
        self._reading = _Reading.HEAD
        self._head_bytes = _LINE_BYTES

    def on_url(self, url: bytes) -> None:
        """Take a part of the request line."""
        super().on_url(url)
        self._head_bytes += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or refuse a trailer: the application would take it for a header."""
        if self._reading is _Reading.BODY:
            self._stop(TRAILERS)
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value) + _FIELD_BYTES

    def on_headers_complete(self) -> None:
        """Check the head, and start the application."""
        if self._head_bytes > self._limits.head_bytes_max:
            self._stop(HEAD_TOO_LARGE)
        method = self.parser.get_method().decode("ascii")
        upgrades = self.parser.should_upgrade()
        version = self.parser.get_http_version()
        if refusal := head_refusal(method, version, self.headers, upgrades=upgrades):
            self._stop(refusal)
        super().on_headers_complete()
        if upgrades:
            self.cycle.keep_alive = False
        self._unset_keepalive_if_required()
        self._disarm()
        self.server_state.waiting.pop(self, None)
        self._reading = _Reading.BODY
        self._fed_bytes = self._framing_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        super().on_body(body)
        self._framing_bytes -= len(body) * (1 + _FRAMING_BYTES_PER_BYTE)

    def on_message_complete(self) -> None:
        """End the body."""
        super().on_message_complete()
        self._disarm()
        self._reading = _Reading.NOTHING

    def on_response_complete(self) -> None:
        """Start the next request after a reply, or wait for it."""
        super().on_response_complete()
        if self._is_answered() and not self.transport.is_closing():
            self.server_state.waiting[self] = None

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    # Ends of a connection.

    def pause_writing(self) -> None:
        """Let the application wait for a slow client, for a bounded time."""
        super().pause_writing()
        self.transport.watch()

    def resume_writing(self) -> None:
        """Continue: the client has read."""
        super().resume_writing()
        if not self.transport.is_closing():
            self.transport.unwatch()

    def shutdown(self) -> None:
        """Finish the request that runs, if any, and close: the server stops."""
        if self._is_answered():
            self.transport.close_idle()
        else:
            cast(RequestResponseCycle, self._running).keep_alive = False

    def timeout_keep_alive_handler(self) -> None:
        """Close the connection: no request came for too long."""
        self.transport.close_idle()

    def abort(self) -> None:
        """Close the connection now."""
        self.server_state.waiting.pop(self, None)
        self.transport.abort()

    def _is_answered(self) -> bool:
        return self._running is None or self._running.response_complete

    def _stop(self, refusal: Refusal) -> NoReturn:
        self._refusal = refusal
        raise _RefusedError

    def _refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal and close. Replies keep the order of their requests."""
        self._ended = True
        self._disarm()
        self.pipeline.clear()
        running = self._running
        concerns_running = running is self.cycle and self._reading is _Reading.BODY
        if running is None or (running.response_complete and not concerns_running):
            self._reply(refusal)
        elif not concerns_running:
            # The reply to an earlier request is due, and must not be mistaken for this one.
            running.keep_alive = False
        elif running.response_complete:
            self.transport.close()
        elif running.response_started:
            self.abort()
        else:
            running.disconnected = True  # drops the application's reply
            running.message_event.set()
            self._reply(refusal)

    def _reply(self, refusal: Refusal) -> None:
        self.transport.write(refusal.reply(tls=self.scheme == "https"))
        self.transport.close()

    def _arm(self, wait_s: float) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(wait_s, self._late, wait_s)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self, wait_s: float) -> None:
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.flow.read_paused:  # the application is slow, and not the client
            self._arm(wait_s)
        elif self._reading is _Reading.BODY:
            self._refuse(BODY_LATE)
        elif self._reading is _Reading.HEAD:
            self._refuse(HEAD_LATE)
        else:
            self.transport.close_idle()


def _common_name(transport: asyncio.Transport) -> str | None:
    """Return the common name of the client's certificate, if it showed one with a single name."""
    certificate = transport.get_extra_info("peercert") or {}
    names = [
        value
        for part in certificate.get("subject", ())
        for name, value in part
        if name == "commonName"
    ]
    return names[0] if len(names) == 1 else None
