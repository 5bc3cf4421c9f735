"""Monitor of a process: Prometheus metrics, liveness and readiness over HTTP."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from streams.kafka.reader import PartitionLag

ReadLag: TypeAlias = Callable[[], Iterable[PartitionLag]]
M = TypeVar("M", Gauge, Counter, Histogram)
BODY_BYTES_MAX = 1024
_LOG = logging.getLogger("sixgate.process")
BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


@dataclass(slots=True)
class Progress:
    """Lag of each partition, and since when its position has not advanced."""

    lags: dict[str, int] = field(default_factory=dict)
    _positions: dict[str, int] = field(default_factory=dict)
    _since_s: dict[str, float] = field(default_factory=dict)

    def update(self, partitions: Iterable[PartitionLag], now_s: float) -> None:
        """Record the current position and end of all partitions."""
        now = {one.label: one for one in partitions}
        for partition in self._positions.keys() - now.keys():
            self._forget(partition)
        for partition, position, end in now.values():
            lag = max(0, end - position)
            if lag == 0 or self._positions.get(partition) != position:
                self._since_s[partition] = now_s
            self.lags[partition], self._positions[partition] = lag, position

    def stalled_s(self, now_s: float) -> float:
        """Return how long the slowest partition with lag has not advanced; 0 without lag."""
        waiting = [now_s - self._since_s[partition] for partition, lag in self.lags.items() if lag]
        return max(waiting, default=0.0)

    def _forget(self, partition: str) -> None:
        """Drop a partition that was reassigned to another process."""
        for known in (self.lags, self._positions, self._since_s):
            known.pop(partition, None)


class Monitor:
    """The metrics of one process; ``read_lag`` returns position and end of each partition.

    A process exports only metrics that it writes: a metric that it never writes is absent, not 0.
    """

    def __init__(self, process: str, read_lag: ReadLag) -> None:
        self.registry = CollectorRegistry()
        self._process = process
        self._read_lag = read_lag
        self._progress = Progress()
        self._sampled_s = self._stalled_s = 0.0
        self._is_loaded = False
        self._conditions: list[Callable[[], bool]] = []
        self._pages: list[web.RouteDef] = []
        self._ready = self._metric(Gauge, "ready", "1 while the process is ready")
        self._lag = self._metric(Gauge, "lag_records", "Lag of a partition in records", "partition")
        self._stalled_seconds = self._metric(
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
        self._stalled_seconds.labels(process).set(0)

    def ready(self) -> None:
        """Mark the process as loaded."""
        if not self._is_loaded:
            _LOG.info("process.ready", extra={"role": self._process})
        self._is_loaded = True

    def ready_while(self, condition: Callable[[], bool]) -> None:
        """Report readiness only while this condition holds too, evaluated at each request."""
        self._conditions.append(condition)

    def add_page(self, page: web.RouteDef) -> None:
        """Serve an additional page at the monitor's port."""
        self._pages.append(page)

    def is_ready(self) -> bool:
        """Return whether the process is loaded and its readiness conditions hold."""
        return self._is_loaded and all(holds() for holds in self._conditions)

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
        """Update lag and stall metrics from the current positions, in the event loop.

        ``now_s`` is the event loop's time.
        """
        self._sampled_s = now_s  # the event loop runs, even if the positions cannot be read
        self._progress.update(self._read_lag(), now_s)
        self._lag.clear()
        for partition, lag in self._progress.lags.items():
            self._lag.labels(self._process, partition).set(lag)
        self._stalled_s = self._progress.stalled_s(now_s)
        self._stalled_seconds.labels(self._process).set(self._stalled_s)

    def stalled_s(self, now_s: float) -> float:
        """Return how long nothing advanced: a position with lag, or the event loop that samples.

        Any thread may ask.
        """
        return max(self._stalled_s, now_s - self._sampled_s)

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


@asynccontextmanager
async def serving(monitor: Monitor, host: str, port: int) -> AsyncIterator[None]:
    """Serve the monitor's pages until the block ends."""
    runner = web.AppRunner(monitor.app(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
