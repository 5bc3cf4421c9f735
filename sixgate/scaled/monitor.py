"""What a process shows of itself: metrics, whether it lives, whether it is ready."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sixgate.scaled.progress import Progress
from streams.kafka.reader import Waiting

ReadLag: TypeAlias = Callable[[], Iterable[Waiting]]
M = TypeVar("M", Gauge, Counter, Histogram)
SAMPLE_S = 1.0
BODY_BYTES_MAX = 1024
_LOG = logging.getLogger("sixgate.process")
BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Monitor:
    """The metrics of one process; ``waiting`` tells how far each partition is.

    A metric that a process never writes is not there, so nothing reads as zero that nobody counts.
    """

    def __init__(self, process: str, waiting: ReadLag) -> None:
        self.registry = CollectorRegistry()
        self.process = process
        self._waiting = waiting
        self._progress = Progress()
        self._is_loaded = False
        self._has_all: Callable[[], bool] = lambda: True
        self._pages: list[web.RouteDef] = []
        self._ready = self._metric(Gauge, "ready", "1 while the process has what it needs")
        self._lag = self._metric(Gauge, "lag_records", "Records that wait", "partition")
        self._stalled = self._metric(
            Gauge, "stalled_seconds", "Seconds since the last progress while records wait"
        )
        self._decisions = self._metric(Counter, "decisions", "What was decided", "type", "reason")
        self._audits = self._metric(
            Counter, "audit_records", "What was no intent, or one again, and is on record", "action"
        )
        self._rows = self._metric(Counter, "ledger_rows", "Rows that were appended to the ledger")
        self._head_age = self._metric(
            Gauge, "registry_head_age_seconds", "Age of the registry's newest head by this clock"
        )
        self._breaker = self._metric(
            Gauge,
            "simulation_breaker",
            "Whether the simulator is asked: 0 yes, 1 after the next probe, 2 not now",
        )
        self._latency = self._metric(
            Histogram,
            "end_to_end_seconds",
            "From admission, by the gate's clock, to a committed outcome",
            buckets=BUCKETS_S,
        )
        self._ready.labels(process).set_function(self.is_ready)
        self._stalled.labels(process).set(0)

    def ready(self) -> None:
        """Say that the process has loaded what it needs."""
        if not self._is_loaded:
            _LOG.info("process.ready", extra={"role": self.process})
        self._is_loaded = True

    def ready_while(self, has_all: Callable[[], bool]) -> None:
        """Be ready only while the process has what it needs besides; asked whenever it matters."""
        self._has_all = has_all

    def add_page(self, page: web.RouteDef) -> None:
        """Serve one more page beside the monitor's own."""
        self._pages.append(page)

    def is_ready(self) -> bool:
        """Tell whether the process has loaded what it needs, and has it still."""
        return self._is_loaded and self._has_all()

    def decided(self, kind: str, reason: str) -> None:
        """Count one decision."""
        self._decisions.labels(self.process, kind, reason).inc()

    def audited(self, action: str) -> None:
        """Count one audit record."""
        self._audits.labels(self.process, action).inc()

    def appended(self, rows: int) -> None:
        """Count rows of the ledger."""
        self._rows.labels(self.process).inc(rows)

    def observe_latency(self, seconds: float) -> None:
        """Note how long one intent took from admission to its outcome; clocks may disagree."""
        self._latency.labels(self.process).observe(max(0.0, seconds))

    def show_head_age(self, age_s: Callable[[], float]) -> None:
        """Show how old the registry's newest head is whenever somebody asks."""
        self._head_age.labels(self.process).set_function(age_s)

    def show_breaker(self, state: Callable[[], int]) -> None:
        """Show whether the simulator is asked whenever somebody looks."""
        self._breaker.labels(self.process).set_function(state)

    def sample(self, now_s: float) -> None:
        """Take note of how far every partition is."""
        self._progress.update(self._waiting(), now_s)
        self._lag.clear()
        for place, lag in self._progress.lags.items():
            self._lag.labels(self.process, place).set(lag)
        self._stalled.labels(self.process).set(self._progress.stalled_s(now_s))

    def _metric(self, kind: type[M], name: str, what: str, *labels: str, **more: Any) -> M:
        names = ["process", *labels]
        return kind(f"sixgate_{name}", what, names, registry=self.registry, **more)

    def app(self) -> web.Application:
        """Return ``/metrics``, ``/healthz``, ``/readyz`` and what is offered besides."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.add_routes(self._pages)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        return app

    async def _metrics(self, _: web.Request) -> web.Response:
        self.sample(asyncio.get_running_loop().time())
        return web.Response(
            body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        if self.is_ready():
            return web.Response(text="ready\n")
        return web.Response(text="waiting\n" if self._is_loaded else "loading\n", status=503)


def pid_socket_name(port: int) -> str:
    """Return the abstract Unix socket that tells which process shows itself at a port."""
    return f"\0sixgate-monitor-{port}"


@asynccontextmanager
async def serving(monitor: Monitor, host: str, port: int) -> AsyncIterator[None]:
    """Serve the monitor's pages and look at the progress every second, until the block ends."""
    runner = web.AppRunner(monitor.app(), access_log=None)
    await runner.setup()
    sampling = asyncio.create_task(_sample_often(monitor))
    try:
        await web.TCPSite(runner, host, port).start()
        async with _pid_socket(port):
            yield
    finally:
        sampling.cancel()
        await runner.cleanup()


@asynccontextmanager
async def _pid_socket(port: int) -> AsyncIterator[None]:
    """Listen where the kernel tells whoever connects which process this is.

    The signer's open files are nobody's to see, so that nobody else could tell that it has a port.
    """
    try:
        server = await asyncio.start_unix_server(_close, pid_socket_name(port))
    except OSError:  # another address with the same port; probing by process number is a courtesy
        yield
        return
    async with server:
        yield


async def _close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def _sample_often(monitor: Monitor) -> None:
    while True:
        monitor.sample(asyncio.get_running_loop().time())
        await asyncio.sleep(SAMPLE_S)
