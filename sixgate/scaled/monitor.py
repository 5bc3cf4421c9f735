"""What a process shows of itself: metrics, whether it lives, whether it is ready."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sixgate.scaled.progress import Progress
from streams.kafka.reader import Waiting

Look: TypeAlias = Callable[[], Iterable[Waiting]]
LOOK_S = 1.0
BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Monitor:
    """The metrics of one process; ``waiting`` tells how far each partition is."""

    def __init__(self, process: str, waiting: Look) -> None:
        self.registry = CollectorRegistry()
        self._waiting = waiting
        self._progress = Progress()
        self._ready = False
        labels = {"process": process}
        self._lag = Gauge(
            "sixgate_lag_records",
            "Records that wait",
            ["process", "partition"],
            registry=self.registry,
        )
        self._stalled = Gauge(
            "sixgate_stalled_seconds",
            "Seconds since the last progress while records wait",
            ["process"],
            registry=self.registry,
        ).labels(**labels)
        self._decisions = Counter(
            "sixgate_decisions",
            "What was decided",
            ["process", "type", "reason"],
            registry=self.registry,
        )
        self._latency = Histogram(
            "sixgate_end_to_end_seconds",
            "From admission to a published outcome",
            ["process"],
            buckets=BUCKETS_S,
            registry=self.registry,
        ).labels(**labels)
        self._process = process

    def ready(self) -> None:
        """Say that the process has loaded what it needs."""
        self._ready = True

    def decided(self, kind: str, reason: str) -> None:
        """Count one decision."""
        self._decisions.labels(self._process, kind, reason).inc()

    def took(self, seconds: float) -> None:
        """Note how long one intent took from admission to its outcome."""
        self._latency.observe(max(0.0, seconds))

    def look(self, now_s: float) -> None:
        """Take note of how far every partition is."""
        self._progress.look(self._waiting(), now_s)
        self._lag.clear()
        for place, lag in self._progress.lags.items():
            self._lag.labels(self._process, place).set(lag)
        self._stalled.set(self._progress.stalled_s(now_s))

    def app(self) -> web.Application:
        """Return ``/metrics``, ``/healthz`` and ``/readyz`` as a web application."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        return app

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        return (
            web.Response(text="ready\n")
            if self._ready
            else web.Response(text="loading\n", status=503)
        )


@asynccontextmanager
async def serving(monitor: Monitor, host: str, port: int) -> AsyncIterator[None]:
    """Serve the monitor's pages and look at the progress every second, until the block ends."""
    runner = web.AppRunner(monitor.app(), access_log=None)
    await runner.setup()
    looking = asyncio.create_task(_look_often(monitor))
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        looking.cancel()
        await runner.cleanup()


async def _look_often(monitor: Monitor) -> None:
    while True:
        monitor.look(asyncio.get_running_loop().time())
        await asyncio.sleep(LOOK_S)
