"""The HTTP server: serves one ASGI application in a thread of its own.

uvicorn parses requests and calls the application; ``connection.py`` bounds connections and
``limits.py`` requests. The server needs no ticks, signals or access log of uvicorn.
"""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn
import uvloop

from sixgate.api.acceptor import Acceptor
from sixgate.api.connection import Connection, Connections
from sixgate.api.exchange import App
from sixgate.api.limits import LimitedApp
from sixgate.api.listeners import (
    Address,
    Listen,
    Listener,
    Tcp,
    listening,
    raise_file_limit,
)
from sixgate.api.transport import LINGER_S
from sixgate.api_error import ApiError
from sixgate.config.limits import Limits

__all__ = ["Address", "Limits", "Listen", "Tcp", "serving"]

START_S_MAX = 60.0
_CANCEL_S_MAX = 2.0
_POLL_S = 0.02
_LOG = logging.getLogger("sixgate.http")


@contextmanager
def serving(app: App, listen: Listen, limits: Limits) -> Iterator[Address]:
    """Serve an ASGI application until the block ends, which lets pending requests finish.

    Raises ``SettingsError`` or ``FolderError`` if it cannot listen, and ``ApiError`` ``internal``
    if the application does not start.
    """
    with listening(listen) as (listeners, address), serving_at(app, listeners, limits):
        shown = [*([str(address.socket)] if address.socket else []), *address.urls]
        _LOG.info("http.serving", extra={"addresses": shown})
        yield address


@contextmanager
def serving_at(app: App, listeners: Sequence[Listener], limits: Limits) -> Iterator[None]:
    """Serve an ASGI application like ``serving``, on sockets that listen already."""
    connections_max = raise_file_limit(limits.connections_max)
    if connections_max < limits.connections_max:
        _LOG.warning("http.connections_reduced", extra={"connections": connections_max})
    limited = LimitedApp(app, limits, lambda: time.monotonic_ns() // 1_000_000)
    server = _Server(limited, listeners, Connections(limits, connections_max))
    thread = threading.Thread(target=server.run_until_stopped, name="http", daemon=True)
    thread.start()
    try:
        server.wait_until_ready()
        yield
    finally:
        server.stop()
        thread.join(2 * limits.stop_s_max + _CANCEL_S_MAX + LINGER_S)
        if thread.is_alive():
            _LOG.warning("http.stop_timed_out")


class _Server(uvicorn.Server):
    """Runs in its own thread; ``stop`` and ``wait_until_ready`` may be called from another one."""

    def __init__(
        self, app: LimitedApp, listeners: Sequence[Listener], connections: Connections
    ) -> None:
        limits = connections.limits
        config = uvicorn.Config(
            app,
            interface="asgi3",
            http=Connection,
            ws="none",
            lifespan="auto",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # client_address.py decides
            server_header=False,
            date_header=False,
            timeout_keep_alive=math.ceil(limits.idle_s_max),
        )
        super().__init__(config)
        self.server_state: Connections = connections
        self._app = app
        self._listeners = listeners
        self._acceptors: list[Acceptor] = []
        self._limits = limits
        self._loop = uvloop.new_event_loop()
        self._stopping = asyncio.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def run_until_stopped(self) -> None:
        """Serve in this thread."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self.serve())
            self._loop.run_until_complete(_cancel_rest())
        except BaseException as error:  # noqa: BLE001 - raised in the other thread
            self._failure = error
            if self._ready.is_set():
                _LOG.exception("http.failed")
        finally:
            # Not by asyncio.Runner, which waits for threads of the application without a limit.
            self._loop.close()
            self._ready.set()

    def wait_until_ready(self) -> None:
        """Wait for the start; raise ``ApiError`` if it fails."""
        in_time = self._ready.wait(START_S_MAX)
        if in_time and self._failure is None and self.started:
            return
        reason = "did not start" if in_time else f"did not start within {START_S_MAX:.0f} s"
        error = ApiError("internal", f"the HTTP API {reason}: its log has the reason")
        raise error from (self._app.start_error or self._failure)

    def stop(self) -> None:
        """Begin to stop."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._stopping.set)

    async def startup(self, sockets: Any = None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Start the application, then accept connections."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return
        self._acceptors = [
            Acceptor(listener, self._connection, self._limits.handshake_s_max)
            for listener in self._listeners
        ]
        for acceptor in self._acceptors:
            acceptor.start()
        self.started = True
        self._ready.set()

    def _connection(self) -> Connection:
        return Connection(self.config, self.server_state, self.lifespan.state)

    async def main_loop(self) -> None:
        """Wait for the stop."""
        await self._stopping.wait()

    async def shutdown(self, sockets: Any = None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Let pending requests finish, then stop the application; both in bounded time."""
        for acceptor in self._acceptors:
            await acceptor.stop()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await _bounded(self._drained(), self._limits.stop_s_max)
        for task in list(self.server_state.tasks):
            task.cancel()
        await _bounded(self._drained(), _CANCEL_S_MAX)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await _bounded(self.lifespan.shutdown(), self._limits.stop_s_max)

    async def _drained(self) -> None:
        while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - uvicorn's sets
            await asyncio.sleep(_POLL_S)


async def _bounded(work: Coroutine[Any, Any, None], wait_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await work


async def _cancel_rest() -> None:
    """Cancel the tasks that the application left behind."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for task in rest:
        task.cancel()
    if rest:
        await asyncio.wait(rest, timeout=_CANCEL_S_MAX)
