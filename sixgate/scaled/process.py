"""Runs a scaled process: logs, stop signals, monitor, and the error that ends it.

SIGTERM and SIGINT only set ``stop``: the process finishes its current work and returns. SIGKILL is
safe at any moment, because the next start recovers; each process's module says how.
"""

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from typing import Protocol

from sixgate.scaled.logs import log_json
from sixgate.scaled.monitor import Monitor, serving
from sixgate.scaled.settings import MonitorSettings

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOG = logging.getLogger("sixgate.process")


class Process(Protocol):
    """A process that runs until ``stop`` is set or an error ends it."""

    @property
    def monitor(self) -> Monitor:
        """Its metrics, liveness and readiness."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set; raise the error that ends the process."""
        ...


def run_process(process: Process, settings: MonitorSettings) -> None:
    """Run until SIGTERM or SIGINT; raise the first error."""
    log_json(settings.log_level)
    try:
        asyncio.run(_run(process, settings))
    except BaseExceptionGroup as failed:
        # The exit code depends on the error's type, and a TaskGroup wraps it.
        raise _first(failed) from None
    _LOG.info("stopped cleanly")


async def _run(process: Process, settings: MonitorSettings) -> None:
    stop = asyncio.Event()
    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as opened:
        if settings.port:
            await opened.enter_async_context(serving(process.monitor, settings.host, settings.port))
        await process.run(stop)


def _first(failed: BaseException) -> BaseException:
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed
