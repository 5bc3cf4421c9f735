"""Accepts connections with limits that start before the TLS handshake.

Before its handshake a client has proven nothing, so handshakes have a limit of their own. At that
limit a new connection replaces the oldest handshake: a genuine client needs a few milliseconds, and
a stalling one is dropped.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

CONNECTIONS_MAX, HANDSHAKES_MAX, BACKLOG = 64, 64, 128
HANDSHAKE_S_MAX, SHUTDOWN_S_MAX, CONNECTION_S_MAX, RETRY_S = 5.0, 5.0, 30.0, 1.0


class Acceptor:
    """Accepts connections for a server, each for a limited time."""

    def __init__(self, server: web.Server, tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._tls = tls
        self._handshakes: dict[asyncio.Task[None], None] = {}

    @asynccontextmanager
    async def open(self, listener: socket.socket) -> AsyncIterator[None]:
        """Accept until the block ends, which closes the listener."""
        with listener:
            accepting = asyncio.create_task(self._accept(listener))
            try:
                yield
            finally:
                for task in (accepting, *self._handshakes):
                    task.cancel()
                await asyncio.gather(accepting, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # the client is gone, or the process has no free descriptor
                await asyncio.sleep(RETRY_S)
                continue
            if len(self._handshakes) >= HANDSHAKES_MAX:
                oldest = next(iter(self._handshakes))
                self._handshakes.pop(oldest)
                oldest.cancel()
            task = asyncio.create_task(self._establish(connection))
            self._handshakes[task] = None
            task.add_done_callback(lambda done: self._handshakes.pop(done, None))
            await asyncio.sleep(0)  # a full backlog must not starve other tasks

    async def _establish(self, connection: socket.socket) -> None:
        """Pass on a connection after its handshake; abort it above the limit."""
        loop = asyncio.get_running_loop()
        bounded: dict[str, Any] = {}
        if self._tls:
            bounded["ssl_handshake_timeout"] = HANDSHAKE_S_MAX
            bounded["ssl_shutdown_timeout"] = SHUTDOWN_S_MAX
        try:
            transport, _ = await loop.connect_accepted_socket(
                self._server, connection, ssl=self._tls, **bounded
            )
        except OSError:  # the handshake failed
            return
        if len(self._server.connections) > CONNECTIONS_MAX:
            transport.abort()
        else:
            # Abort, because close would wait for a client that does not read.
            loop.call_later(CONNECTION_S_MAX, transport.abort)


async def listener_at(host: str, port: int) -> socket.socket:
    """Open a listening socket; raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, address = found[0]
    listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    listener.setblocking(False)  # noqa: FBT003 - the signature of socket
    return listener
