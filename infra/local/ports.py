"""Loopback ports."""

import itertools
import json
import secrets
import socket
from pathlib import Path

HOST = "127.0.0.1"
# Below what the kernel hands to outgoing connections: a port of that range may be taken, or even
# be connected to itself by a client that retries, while its server is down.
_PORTS = range(20_000, 32_000)
_turns = itertools.count(secrets.randbelow(len(_PORTS)))


def free_port() -> int:
    """Return a port that nobody listens on, and that this process was not given lately.

    Ports are often drawn long before their servers take them: each process goes round on its own.
    """
    while True:
        port = _PORTS[next(_turns) % len(_PORTS)]
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


def kept_port(file: Path) -> int:
    """Return a port that is the same at every start: the file remembers it."""
    if not file.exists():
        file.write_text(json.dumps(free_port()))
    return int(json.loads(file.read_bytes()))
