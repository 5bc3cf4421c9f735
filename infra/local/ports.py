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
_HELD_COUNT_MAX = 128
_turns = itertools.count(secrets.randbelow(len(_PORTS)))
_held: deque[int] = deque()  # descriptors, because unclosed sockets warn at exit


def free_port() -> int:
    """Return a port without a listener that no running process has reserved.

    A server may bind its port long after it was chosen, or again after a kill. So each process
    starts at a random port and reserves the last ports it chose.
    """
    while True:
        port = _PORTS[next(_turns) % len(_PORTS)]
        if _free(port) and _hold(port):
            return port


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _hold(port: int) -> bool:
    """Reserve a port by an abstract socket (unix(7)), which the kernel frees with the process.

    The port itself stays free for its server.
    """
    held = socket.socket(socket.AF_UNIX)
    try:
        held.bind(f"\0sixgate-port-{port}")
    except OSError:
        held.close()
        return False
    _held.append(held.detach())
    if len(_held) > _HELD_COUNT_MAX:
        os.close(_held.popleft())
    return True


def stable_port(file: Path) -> int:
    """Return the port stored in a file, so that it is the same at every start."""
    if not file.exists():
        file.write_text(json.dumps(free_port()))
    return int(json.loads(file.read_bytes()))
