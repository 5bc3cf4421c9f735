"""A loopback Kafka proxy that runs a callback, such as a kill, before or after a chosen request.

Brokers advertise their address to clients; the proxy replaces the port with its own. It parses the
header of Kafka's requests (https://kafka.apache.org/protocol: size, api key, version, correlation
id), not their content.
"""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import Enum, IntEnum
from functools import partial
from typing import NamedTuple

from tests.harness.broker.listener import Listener, relay
from tools.local.ports import HOST

REACHED_S_MAX = 30

_SIZE = struct.Struct(">i")
_HEADER = struct.Struct(">hhi")


class Api(IntEnum):
    """The requests of a transaction, in the order in which a producer sends them."""

    ADD_PARTITIONS = 24
    PRODUCE = 0
    END = 26


class When(Enum):
    """Whether the sender dies before or after the broker handles the request."""

    BEFORE = "before the broker receives it"
    AFTER = "after the broker handled it, before the sender gets the response"


class Point(NamedTuple):
    """The first request of a kind in the given transaction, counted from 1."""

    transaction: int
    api: Api
    when: When


class KafkaProxy:
    """Forwards connections to a broker; calls ``kill`` once, at the point given to ``arm``."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = Listener(self._serve)
        self.port = self._listener.port
        self._reached = threading.Event()
        self._lock = threading.Lock()
        self._point: Point | None = None
        self._kill: Callable[[], None] = lambda: None
        self._seen: Counter[int] = Counter()
        self._own = _address(port), _address(self.port)

    def arm(self, point: Point, kill: Callable[[], None]) -> None:
        """Count transactions from now on; ``kill`` must return when the sender is dead."""
        with self._lock:
            self._seen.clear()
            self._point, self._kill = point, kill
            self._reached.clear()

    def await_reached(self) -> None:
        """Wait until the point is reached and ``kill`` has returned."""
        assert self._reached.wait(REACHED_S_MAX), f"{self._point} never came"

    def close(self) -> None:
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        doomed: set[int] = set()  # correlation ids of requests whose response triggers the kill
        relay(
            client,
            self._target,
            partial(self._upwards, doomed=doomed),
            partial(self._downwards, doomed=doomed),
        )

    def _upwards(self, client: socket.socket, broker: socket.socket, doomed: set[int]) -> None:
        with suppress(OSError):
            while request := _frame(client):
                api, _, correlation = _HEADER.unpack_from(request)
                when = self._moment(api)
                if when is When.BEFORE:
                    self._end()
                    break
                if when is When.AFTER:
                    doomed.add(correlation)
                broker.sendall(_SIZE.pack(len(request)) + request)
            broker.shutdown(socket.SHUT_WR)

    def _downwards(self, broker: socket.socket, client: socket.socket, doomed: set[int]) -> None:
        with suppress(OSError):
            while answer := _frame(broker):
                if _SIZE.unpack_from(answer)[0] in doomed:
                    self._end()
                    return
                answer = answer.replace(*self._own)  # both have the same length
                client.sendall(_SIZE.pack(len(answer)) + answer)

    def _moment(self, api: int) -> When | None:
        """Return ``When`` if this request is the armed one, else None."""
        with self._lock:
            point = self._point
            if point is None or api not in set(Api):
                return None
            self._seen[api] += 1
            if api != point.api or self._seen[Api.END] + (api != Api.END) != point.transaction:
                return None
            self._point = None
            return point.when

    def _end(self) -> None:
        self._kill()
        self._reached.set()


def _address(port: int) -> bytes:
    """Encode an address as brokers do: length and text of the host, then the port in 4 bytes."""
    return struct.pack(">h", len(HOST)) + HOST.encode() + _SIZE.pack(port)


def _frame(source: socket.socket) -> bytes:
    """Return the next request or response without its size; empty at the end of the stream."""
    size = _exactly(source, _SIZE.size)
    return _exactly(source, _SIZE.unpack(size)[0]) if size else b""


def _exactly(source: socket.socket, size: int) -> bytes:
    parts, left = [], size
    while left:
        part = source.recv(min(left, 1 << 16))
        if not part:
            return b""
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
