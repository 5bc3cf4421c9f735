"""Monitor of a process: Prometheus metrics, liveness and readiness over HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sixgate.services.progress import Progress
from streams.kafka.reader import PartitionLag

ReadLag: TypeAlias = Callable[[], Iterable[PartitionLag]]
M = TypeVar("M", Gauge, Counter, Histogram)
SAMPLE_S = 1.0
BODY_BYTES_MAX = 1024
_LOG = logging.getLogger("sixgate.process")
BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Monitor:
    """The metrics of one process; ``read_lag`` returns position and end of each partition.

    A process exports only metrics that it writes: a metric that it never writes is absent, not 0.
    """

    def __init__(self, process: str, read_lag: ReadLag) -> None:
        self.registry = CollectorRegistry()
        self._process = process
        self._read_lag = read_lag
        self._progress = Progress()
        self._is_loaded = False
        self._condition: Callable[[], bool] = lambda: True
        self._pages: list[web.RouteDef] = []
        self._ready = self._metric(Gauge, "ready", "1 while the process is ready")
        self._lag = self._metric(Gauge, "lag_records", "Lag of a partition in records", "partition")
        self._stalled = self._metric(
            Gauge, "stalled_seconds", "Seconds without progress of the slowest partition with lag"
        )
        self._decisions = self._metric(
            Counter, "decisions", "Decisions by type and reason", "type", "reason"
        )
        self._audits = self._metric(
            Counter, "audit_records", "Audit records: refused input and repeated intents", "action"
        )
        self._rows = self._metric(Counter, "ledger_rows", "Rows appended to the ledger")
        self._head_age = self._metric(
            Gauge, "registry_head_age_seconds", "Age of the newest registry head by this clock"
        )
        self._breaker = self._metric(
            Gauge,
            "simulation_breaker",
            "Circuit breaker of the simulator: 0 closed, 1 half open, 2 open",
        )
        self._latency = self._metric(
            Histogram,
            "end_to_end_seconds",
            "From admission (the gate's clock) to the committed outcome",
            buckets=BUCKETS_S,
        )
        self._ready.labels(process).set_function(self.is_ready)
        self._stalled.labels(process).set(0)

    def ready(self) -> None:
        """Mark the process as loaded."""
        if not self._is_loaded:
            _LOG.info("process.ready", extra={"role": self._process})
        self._is_loaded = True

    def ready_while(self, condition: Callable[[], bool]) -> None:
        """Report readiness only while a condition holds, evaluated at each request."""
        self._condition = condition

    def add_page(self, page: web.RouteDef) -> None:
        """Serve an additional page at the monitor's port."""
        self._pages.append(page)

    def is_ready(self) -> bool:
        """Return whether the process is loaded and its readiness condition holds."""
        return self._is_loaded and self._condition()

    def decided(self, kind: str, reason: str) -> None:
        """Count one decision."""
        self._decisions.labels(self._process, kind, reason).inc()

    def audited(self, action: str) -> None:
        """Count one audit record."""
        self._audits.labels(self._process, action).inc()

    def appended(self, rows: int) -> None:
        """Count rows appended to the ledger."""
        self._rows.labels(self._process).inc(rows)

    def observe_latency(self, seconds: float) -> None:
        """Observe the time from an intent's admission to its outcome."""
        # The gate's clock may be ahead of the signer's.
        self._latency.labels(self._process).observe(max(0.0, seconds))

    def show_head_age(self, age_s: Callable[[], float]) -> None:
        """Export the age of the newest registry head, evaluated at each scrape."""
        self._head_age.labels(self._process).set_function(age_s)

    def show_breaker(self, state: Callable[[], int]) -> None:
        """Export the state of the simulator's circuit breaker, evaluated at each scrape."""
        self._breaker.labels(self._process).set_function(state)

    def sample(self, now_s: float) -> None:
        """Update lag and stall metrics from the current positions."""
        self._progress.update(self._read_lag(), now_s)
        self._lag.clear()
        for partition, lag in self._progress.lags.items():
            self._lag.labels(self._process, partition).set(lag)
        self._stalled.labels(self._process).set(self._progress.stalled_s(now_s))

    def _metric(self, kind: type[M], name: str, help_text: str, *labels: str, **more: Any) -> M:
        names = ["process", *labels]
        return kind(f"sixgate_{name}", help_text, names, registry=self.registry, **more)

    def app(self) -> web.Application:
        """Return the pages ``/metrics``, ``/healthz``, ``/readyz`` and the additional ones."""
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
    """Name the abstract Unix socket that identifies the process serving a monitor port."""
    return f"\0sixgate-monitor-{port}"


@asynccontextmanager
async def serving(monitor: Monitor, host: str, port: int) -> AsyncIterator[None]:
    """Serve the monitor's pages and sample progress every second until the block ends."""
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
    """Listen on a socket that identifies this process to ``sixgate probe --pid`` (SO_PEERCRED).

    The signer is undumpable, so ``/proc`` hides its open files and with them who owns the port.
    """
    try:
        server = await asyncio.start_unix_server(_close, pid_socket_name(port))
    except OSError:  # taken by a process at the same port of another address; run without it
        _LOG.warning("monitor.pid_socket_taken", extra={"port": port})
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
