"""Free loopback ports, reserved across processes."""

import itertools
import json
import os
import secrets
import socket
from collections import deque
from pathlib import Path

HOST = "127.0.0.1"
# Below the kernel's range for outgoing connections: while a server is down, a port of that range
# can be taken, or a client that retries can even connect to itself.
_PORTS = range(20_000, 32_000)
# How many ports a process keeps reserved; each takes an open file.
_RESERVED_COUNT_MAX = 128
_candidates = itertools.count(secrets.randbelow(len(_PORTS)))
_reservations: deque[int] = deque()  # descriptors, because unclosed sockets warn at exit


def free_port() -> int:
    """Return a port without a listener that no running process has reserved.

    A server may bind its port long after it was chosen, or again after a kill. So each process
    starts at a random port and reserves the last ports it chose.
    """
    while True:
        port = _PORTS[next(_candidates) % len(_PORTS)]
        if _free(port) and _reserve(port):
            return port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    """Reserve a port by an abstract socket (unix(7)), which the kernel frees with the process.

    The port itself stays free for its server.
    """
    reservation = socket.socket(socket.AF_UNIX)
    try:
        reservation.bind(f"\0sixgate-port-{port}")
    except OSError:
        reservation.close()
        return False
    _reservations.append(reservation.detach())
    if len(_reservations) > _RESERVED_COUNT_MAX:
        os.close(_reservations.popleft())
    return True


def stable_port(file: Path) -> int:
    """Return the port stored in a file, so that it is the same at every start."""
    if not file.exists():
        file.write_text(json.dumps(free_port()))
    return int(json.loads(file.read_bytes()))
