"""Many idle connections to a server, held by a process of their own: each side needs its files.

The process is controlled by lines: it prints ``connected`` after one request on each connection,
waits for a line, sends a second request on each, and prints how many were answered.
"""

import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
REQUEST = b"GET /seen HTTP/1.1\r\nHost: sixgate.example\r\n\r\n"
_SPARE_FILES = 64
# Connects in batches, so that the server's backlog holds them.
_BATCH = 500


@contextmanager
def idle_clients(port: int, count: int) -> Iterator[subprocess.Popen[str]]:
    """Run the process until the block ends."""
    command = [sys.executable, "-m", "tests.harness.builders.idle_clients", str(port), str(count)]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def main(port: int, count: int) -> None:
    """Hold the connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (count + _SPARE_FILES, hard))
    links: list[socket.socket] = []
    while len(links) < count:
        batch = [socket.create_connection(("127.0.0.1", port)) for _ in range(min(_BATCH, count))]
        assert _answered(batch) == len(batch)
        links += batch
    print("connected", flush=True)  # noqa: T201 - the protocol with the test
    sys.stdin.readline()
    print(_answered(links), flush=True)  # noqa: T201 - the same


def _answered(links: list[socket.socket]) -> int:
    """Send a request on each connection; return how many are answered with 200."""
    for link in links:
        link.sendall(REQUEST)
    return sum(_answer(link).startswith(b"HTTP/1.1 200 ") for link in links)


def _answer(link: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"}") and (part := link.recv(1 << 16)):
        received += part
    return received


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
