"""Loopback proxies that forward requests and drop responses, wholly or in part."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from tests.harness.broker.listener import Listener, relay

_CHUNK_BYTES = 65_536


class LossyProxy:
    """Forwards connections to a port, and acts once when a connection sends a given mark."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._mark = b""
        self._at_mark: Callable[[], None] | None = None
        self.lost = 0
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def lose_answer_to(self, mark: bytes) -> None:
        """Close the connection when the response arrives: the request was executed."""
        self._mark, self._at_mark = mark, None

    def before(self, mark: bytes, act: Callable[[], None]) -> None:
        """Act once, before the server gets the bytes with the mark."""
        self._mark, self._at_mark = mark, act

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
                    if self._at_mark:
                        self._at_mark()
                    else:
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


class CuttingProxy:
    """Forwards connections to a port, but only a given number of response bytes.

    The rest is lost: the connection is closed, or stays open and silent.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._left: int | None = None
        self._hangs = False
        self._going_on = threading.Event()
        self.passed = 0
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def pass_all(self) -> None:
        """Forward every byte from now on, and restart the count."""
        self._left, self._hangs, self.passed = None, False, 0
        self._going_on.set()

    def cut_after(self, passed: int, *, hang: bool = False) -> None:
        self._left, self._hangs = passed, hang
        self._going_on.clear()

    def close(self) -> None:
        self._going_on.set()
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        relay(client, self._target, self._upwards, self._downwards)

    def _upwards(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while part := client.recv(_CHUNK_BYTES):
                server.sendall(part)
            server.shutdown(socket.SHUT_WR)

    def _downwards(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while part := server.recv(_CHUNK_BYTES):
                allowed = self._allowed(part)
                client.sendall(allowed)
                if len(allowed) < len(part):
                    break
        if self._hangs:
            self._going_on.wait()

    def _allowed(self, part: bytes) -> bytes:
        if self._left is None:
            self.passed += len(part)
            return part
        allowed = part[: self._left]
        self._left -= len(allowed)
        return allowed
