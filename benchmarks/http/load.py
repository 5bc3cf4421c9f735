"""Clients that send many requests, in a process of their own; ``running`` starts it.

python -m benchmarks.http.load reads|idle|slow reads a JSON document of ``Load`` from the first line
of its input. ``reads`` and ``slow`` begin after a second line.
"""

import asyncio
import json
import resource
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import IO, Any, cast

import httptools
import uvloop

ANSWER_S_MAX = 30.0
_BATCH = 250
_SLOW_BYTES, _SLOW_PAUSE_S = 256, 1.0  # less than the server requires in 30 s
_RECEIVE_BUFFER_BYTES = 4096
_PIPELINED_COUNT = 8  # more than the buffers of both kernels hold


@dataclass(frozen=True)
class Load:
    """What clients do: ``requests`` are triples of a name, a request and its expected status.

    ``per_s`` is the rate of all connections together; None sends the next request at each reply.
    """

    port: int
    requests: list[tuple[str, str, int]]
    connections: int
    seconds: float = 0
    per_s: float | None = None


class Clients:
    """A process of clients; each side is one JSON document in a line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def send(self, document: Any) -> None:
        print(json.dumps(document), file=self._pipe(self._process.stdin), flush=True)

    def begin(self) -> None:
        """Let the clients continue."""
        self.send(None)

    def receive(self) -> Any:
        line = self._pipe(self._process.stdout).readline()
        assert line, "the clients ended early"
        return json.loads(line)

    def _pipe(self, pipe: IO[str] | None) -> IO[str]:
        assert pipe
        return pipe


@contextmanager
def running(kind: str, load: Load) -> Iterator[Clients]:
    """Run clients until the block ends."""
    command = [sys.executable, "-m", __name__, kind]
    with subprocess.Popen(
        command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            clients = Clients(process)
            clients.send(asdict(load))
            yield clients
        finally:
            process.kill()


class Connection(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[int] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """End the exchange; called by the parser."""
        if self._answered and not self._answered.done():
            self._answered.set_result(self._parser.get_status_code())

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answered and not self._answered.done():
            self._answered.set_exception(exc or ConnectionResetError("closed"))

    async def ask(self, request: bytes) -> int:
        """Send a request and return the status of its reply; raise ``OSError``."""
        if self.transport is None:
            raise ConnectionResetError("closed")
        self._answered = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        async with asyncio.timeout(ANSWER_S_MAX):
            return await self._answered


async def _connected(port: int) -> Connection:
    loop = asyncio.get_running_loop()
    return (await loop.create_connection(Connection, "127.0.0.1", port))[1]


class Reads:
    """Sends reads at a rate, in turn; prints how many, the errors by name, and the latencies.

    A latency begins when the request was due, so that a slow server cannot hide its queue.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._requests = [(name, text.encode(), status) for name, text, status in load.requests]
        self._sent = 0
        self._errors: Counter[str] = Counter()
        self._latencies_s: list[float] = []

    async def run(self) -> None:
        self._start_s = time.monotonic()
        await asyncio.gather(*(self._client() for _ in range(self._load.connections)))
        elapsed_s = time.monotonic() - self._start_s
        ordered = sorted(self._latencies_s)
        shares = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
        latencies = {
            name: ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000
            for name, share in shares.items()
        }
        _print(
            {
                "count": len(ordered),
                "elapsed_s": elapsed_s,
                "errors": self._errors,
                "latency_ms": latencies,
            }
        )

    async def _client(self) -> None:
        connection = None  # the server closes one that waits for long with its first request
        while (due_s := self._next_due_s()) is not None:
            name, request, expected = self._requests[self._sent % len(self._requests)]
            self._sent += 1
            if (early_s := due_s - time.monotonic()) > 0:
                await asyncio.sleep(early_s)
            connection = connection or await _connected(self._load.port)
            try:
                status = await connection.ask(request)
                if status != expected:
                    self._errors[f"{name}: {status}"] += 1
            except (OSError, TimeoutError) as error:
                self._errors[f"{name}: {type(error).__name__}"] += 1
                connection = None
            self._latencies_s.append(time.monotonic() - due_s)

    def _next_due_s(self) -> float | None:
        now_s, per_s = time.monotonic(), self._load.per_s
        due_s = self._start_s + self._sent / per_s if per_s else now_s
        return due_s if due_s < self._start_s + self._load.seconds else None


class Idle:
    """Holds connections: prints how many answered a request, and after a line again."""

    def __init__(self, load: Load) -> None:
        self._load = load
        _, self._request, self._status = load.requests[0]
        self._held: list[Connection] = []

    async def run(self) -> None:
        answered = 0
        for begin in range(0, self._load.connections, _BATCH):  # the server's backlog is bounded
            count = min(_BATCH, self._load.connections - begin)
            batch = await asyncio.gather(*(_connected(self._load.port) for _ in range(count)))
            answered += sum(await asyncio.gather(*map(self._answered, batch)))
            self._held += batch
        _print({"answered": answered})
        sys.stdin.readline()
        answered = 0
        for begin in range(0, len(self._held), _BATCH):
            batch = self._held[begin : begin + _BATCH]
            answered += sum(await asyncio.gather(*map(self._answered, batch)))
        _print({"answered": answered})

    async def _answered(self, connection: Connection) -> bool:
        with suppress(OSError, TimeoutError):
            return await connection.ask(self._request.encode()) == self._status
        return False


class Slow:
    """Asks for more than it reads, until it is killed; the clients begin within ``seconds``.

    They cannot tell when the server cuts them off: the kernel still has megabytes to deliver.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._request = load.requests[0][1].encode()

    async def run(self) -> None:
        await asyncio.gather(*map(self._client, range(self._load.connections)))

    async def _client(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        # Not all of them at once: they are to be slow, and no burst of long lists.
        await asyncio.sleep(self._load.seconds * number / self._load.connections)
        while True:
            with closing(socket.socket()) as link, suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
                link.setblocking(False)  # noqa: FBT003 - the signature of socket
                await loop.sock_connect(link, ("127.0.0.1", self._load.port))
                await loop.sock_sendall(link, self._request * _PIPELINED_COUNT)
                while await loop.sock_recv(link, _SLOW_BYTES):  # noqa: ASYNC110 - it is to be slow
                    await asyncio.sleep(_SLOW_PAUSE_S)


def _print(document: Any) -> None:
    print(json.dumps(document), flush=True)


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kind = sys.argv[1]
    load = Load(**json.loads(sys.stdin.readline()))
    if kind != "idle":
        sys.stdin.readline()
    kinds: dict[str, type[Reads | Idle | Slow]] = {"reads": Reads, "idle": Idle, "slow": Slow}
    uvloop.run(kinds[kind](load).run())


if __name__ == "__main__":
    main()
