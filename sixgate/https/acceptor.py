"""Accepting connections, bounded from the first byte on and not only once TLS is established.

Before its handshake a caller has proven nothing. Such connections have places of their own, and
where these are taken the oldest one has to go: who means to ask needs a few milliseconds, and who
only holds a place loses it.
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
    """Lets connections in to a server, each for a bounded time."""

    def __init__(self, server: web.Server, tls: ssl.SSLContext | None) -> None:
        self._server = server
        self._tls = tls
        self._shaking: dict[asyncio.Task[None], None] = {}

    @asynccontextmanager
    async def open(self, listener: socket.socket) -> AsyncIterator[None]:
        """Accept until the block ends, which closes the listener."""
        with listener:
            accepting = asyncio.create_task(self._accept(listener))
            try:
                yield
            finally:
                for task in (accepting, *self._shaking):
                    task.cancel()
                await asyncio.gather(accepting, return_exceptions=True)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError:  # gone again, or the process has no descriptor left
                await asyncio.sleep(RETRY_S)
                continue
            if len(self._shaking) >= HANDSHAKES_MAX:
                oldest = next(iter(self._shaking))
                self._shaking.pop(oldest)
                oldest.cancel()
            task = asyncio.create_task(self._establish(connection))
            self._shaking[task] = None
            task.add_done_callback(lambda done: self._shaking.pop(done, None))
            await asyncio.sleep(0)  # else a full backlog would leave nobody else a turn

    async def _establish(self, connection: socket.socket) -> None:
        """Hand over a connection once its handshake is done, if there is a place for it."""
        loop = asyncio.get_running_loop()
        bounded: dict[str, Any] = {}
        if self._tls:
            bounded["ssl_handshake_timeout"] = HANDSHAKE_S_MAX
            bounded["ssl_shutdown_timeout"] = SHUTDOWN_S_MAX
        try:
            transport, _ = await loop.connect_accepted_socket(
                self._server, connection, ssl=self._tls, **bounded
            )
        except OSError:  # no handshake: nobody to tell
            return
        if len(self._server.connections) > CONNECTIONS_MAX:
            transport.abort()
        else:
            # To close would wait for a caller who does not read.
            loop.call_later(CONNECTION_S_MAX, transport.abort)


async def listener_at(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises ``OSError``."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, address = found[0]
    listener = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    listener.setblocking(False)  # noqa: FBT003 - the socket module's way
    return listener
