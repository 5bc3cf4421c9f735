"""Ends a stalled process, because its supervisor restarts only a process that has ended.

A process is stalled if records wait and a position does not advance, or if its event loop does not
run. A thread checks that, which a blocked event loop does not stop. *The process may end at any
moment: the next start recovers; each process's module says how.*
"""

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn

from sixgate.services.monitor import Monitor

EXIT_CODE = 13  # as that of ``sixgate probe``
LOG_S_MAX = 5.0
_LOG = logging.getLogger("sixgate.process")


@dataclass(frozen=True, slots=True)
class StallLimits:
    """How long a process may be stalled: ``stalled_s_max``, then ``checks`` that find the same.

    The default is two minutes in all: longer than any call of a server or KMS may take, so that a
    process that waits for one ends with that call's error.
    """

    stalled_s_max: float = 90.0
    checks: int = 30
    check_s: float = 1.0


class StallCount:
    """Counts consecutive checks that find a process stalled.

    Checks and not seconds: a process that was suspended has as much time to go on as another one.
    """

    def __init__(self, limits: StallLimits) -> None:
        self._limits = limits
        self._found = 0

    def reached(self, stalled_s: float) -> bool:
        """Take the result of a check; return whether the process must end."""
        self._found = self._found + 1 if stalled_s >= self._limits.stalled_s_max else 0
        return self._found >= self._limits.checks


@asynccontextmanager
async def ending_stalled(monitor: Monitor, limits: StallLimits) -> AsyncIterator[None]:
    """Sample the monitor, and end the process if it stalls, until the block ends."""
    _sample(monitor)  # before the first check: it needs the event loop's time
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(monitor, limits, ended), daemon=True)
    sampling = asyncio.create_task(_sample_often(monitor, limits.check_s))
    watch.start()
    try:
        yield
    finally:
        ended.set()
        sampling.cancel()


async def _sample_often(monitor: Monitor, check_s: float) -> None:
    while True:
        await asyncio.sleep(check_s)
        _sample(monitor)


def _sample(monitor: Monitor) -> None:
    try:
        monitor.sample(asyncio.get_running_loop().time())
    except Exception as error:  # noqa: BLE001 - a reader that fails ends the process itself
        _LOG.warning("monitor.sample_failed", extra={"error": type(error).__name__})


def _watch(monitor: Monitor, limits: StallLimits, ended: threading.Event) -> None:
    count = StallCount(limits)
    while not ended.wait(limits.check_s):
        stalled_s = monitor.stalled_s(time.monotonic())  # the event loop's clock
        if count.reached(stalled_s):
            _end(stalled_s)


def _end(stalled_s: float) -> NoReturn:
    """Log and end the process now: what is stalled cannot be closed."""
    # A full pipe may be the reason of the stall; the log would then block.
    threading.Timer(LOG_S_MAX, os._exit, (EXIT_CODE,)).start()
    detail = f"no progress for {stalled_s:.0f} s: its supervisor must restart it"
    _LOG.error("process.stalled", extra={"exit_code": EXIT_CODE, "detail": detail})
    os._exit(EXIT_CODE)
