"""How a scaled process runs and ends, whatever it does."""

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
    """Runs until ``stop`` is set, or raises what ends it."""

    @property
    def monitor(self) -> Monitor:
        """What it shows of itself."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Do its work."""
        ...


def run_process(process: Process, settings: MonitorSettings) -> None:
    """Run until SIGTERM or SIGINT; raise the first thing that failed."""
    log_json(settings.log_level)
    try:
        asyncio.run(_run(process, settings))
    except BaseExceptionGroup as failed:
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
