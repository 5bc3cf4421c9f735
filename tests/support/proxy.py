"""A loopback proxy that takes a request to its server and loses the answer."""

import socket
import threading
from contextlib import suppress
from functools import partial

from tests.support.listener import Listener, relay

_CHUNK_BYTES = 65_536


class LossyProxy:
    """Forwards connections to a port; ``lose_answer_to`` cuts the next one that sends the mark.

    The request reaches the server whole and is executed; its answer goes nowhere.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._mark = b""
        self.lost = 0
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def lose_answer_to(self, mark: bytes) -> None:
        self._mark = mark

    def close(self) -> None:
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        doomed = threading.Event()
        relay(
            client,
            self._target,
            partial(self._upwards, doomed=doomed),
            partial(self._downwards, doomed=doomed),
        )

    def _upwards(
        self, client: socket.socket, server: socket.socket, doomed: threading.Event
    ) -> None:
        with suppress(OSError):
            while part := client.recv(_CHUNK_BYTES):
                if self._mark and self._mark in part:
                    self._mark = b""
                    doomed.set()
                server.sendall(part)
            server.shutdown(socket.SHUT_WR)

    def _downwards(
        self, server: socket.socket, client: socket.socket, doomed: threading.Event
    ) -> None:
        with suppress(OSError):
            while part := server.recv(_CHUNK_BYTES):
                if doomed.is_set():
                    self.lost += 1
                    return
                client.sendall(part)
