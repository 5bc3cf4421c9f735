"""The HTTP server without the API: it answers every request with the same bytes. The peer of reads.

python -m benchmarks.http.bare BYTES prints its port and serves until its input ends.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

from sixgate.api.exchange import Receive, Scope, Send
from sixgate.api.listeners import Listen, Tcp
from sixgate.api.server import serving
from sixgate.config.limits import Limits, Rate

_UNLIMITED = Rate(per_minute=10**8, burst=10**8)


@contextmanager
def running(size_bytes: int) -> Iterator[tuple[int, int]]:
    """Lend the port and the process id of a server until the block ends."""
    command = [sys.executable, "-m", __name__, str(size_bytes)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout
        yield int(process.stdout.readline()), process.pid
        assert process.stdin
        process.stdin.close()


def main(size_bytes: int) -> None:
    body = b"x" * size_bytes
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % size_bytes),
    ]

    async def app(scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    with serving(app, Listen(tcp=(Tcp(port=0),)), Limits(ip_rate=_UNLIMITED)) as address:
        print(address.url.rpartition(":")[2], flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(int(sys.argv[1]))
