"""Loopback ports."""

import itertools
import json
import os
import secrets
import socket
from collections import deque
from pathlib import Path

HOST = "127.0.0.1"
# Below what the kernel hands to outgoing connections: a port of that range may be taken, or even
# be connected to itself by a client that retries, while its server is down.
_PORTS = range(20_000, 32_000)
# How many of the ports that it was given a process keeps from others; each takes an open file.
_HELD_COUNT_MAX = 128
_turns = itertools.count(secrets.randbelow(len(_PORTS)))
_held: deque[int] = deque()  # descriptors, because unclosed sockets warn at exit


def free_port() -> int:
    """Return a port that nobody listens on, and that no process that runs was given lately.

    Ports are often drawn long before their servers take them, or again after a kill: each process
    goes round on its own, and keeps what it was given last from the others of this machine.
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
    """Take a port's name among abstract sockets (unix(7)), which the kernel frees with a process.

    The port itself stays free for the server that is to have it.
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


def kept_port(file: Path) -> int:
    """Return a port that is the same at every start: the file remembers it."""
    if not file.exists():
        file.write_text(json.dumps(free_port()))
    return int(json.loads(file.read_bytes()))
