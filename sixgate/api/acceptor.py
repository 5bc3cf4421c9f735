"""Accepts connections of the HTTP server, also with TLS, without running out of open files.

The event loop's own server has no limit on handshakes, and it closes its listener for ever if the
process has no free file once.
"""

import asyncio
import logging
import socket
from collections.abc import Callable

from sixgate.api.listeners import Listener
from sixgate.api.transport import LINGER_S

HANDSHAKES_MAX = 256
BATCH = 32
RETRY_S = 0.1
_LOG = logging.getLogger("sixgate.http")


class Acceptor:
    """Accepts the connections of one listener from ``start`` to ``stop``.

    Before its handshake a client has proven nothing. At the limit a new connection replaces the
    oldest handshake: a genuine client needs a few milliseconds, and a stalling one is dropped.
    """

    def __init__(
        self, listener: Listener, factory: Callable[[], asyncio.Protocol], handshake_s_max: float
    ) -> None:
        self._link = listener.link
        self._tls = listener.tls
        self._factory = factory
        self._handshake_s_max = handshake_s_max
        self._loop = asyncio.get_running_loop()
        self._handshakes: dict[asyncio.Task[None], None] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._failing = False

    def start(self) -> None:
        """Begin to accept."""
        self._link.setblocking(False)  # noqa: FBT003 - the signature of socket
        self._loop.add_reader(self._link, self._accept)

    async def stop(self) -> None:
        """Close the listener, and the connections before their handshake."""
        self._loop.remove_reader(self._link)
        if self._retry:
            self._retry.cancel()
        self._link.close()
        for task in list(self._handshakes):
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(BATCH):  # a full backlog must not starve the requests
            try:
                connection, _ = self._link.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # the process has no free file: the backlog waits
                self._pause(error)
                return
            self._failing = False
            self._begin(connection)

    def _pause(self, error: OSError) -> None:
        if not self._failing:
            self._failing = True
            _LOG.warning("http.accept_failed", extra={"detail": error.strerror})
        self._loop.remove_reader(self._link)
        self._retry = self._loop.call_later(RETRY_S, self.start)

    def _begin(self, connection: socket.socket) -> None:
        if len(self._handshakes) >= HANDSHAKES_MAX:
            oldest = next(iter(self._handshakes))
            del self._handshakes[oldest]
            oldest.cancel()
        task = self._loop.create_task(self._establish(connection))
        self._handshakes[task] = None
        task.add_done_callback(lambda done: self._ended(done, connection))

    def _ended(self, task: asyncio.Task[None], connection: socket.socket) -> None:
        self._handshakes.pop(task, None)
        if task.cancelled():  # perhaps before it began
            connection.close()

    async def _establish(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._factory,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=self._handshake_s_max if self._tls else None,
                ssl_shutdown_timeout=LINGER_S if self._tls else None,
            )
        except OSError:  # the client is gone, or its handshake failed
            return
