"""Runs a process on Kafka: logs, stop signals, monitor, and the error that ends it.

SIGTERM and SIGINT only set ``stop``: the process finishes its current work and returns. SIGKILL is
safe at any moment, because the next start recovers; each process's module says how. A stalled
process ends itself (``sixgate.services.stall``).
"""

import asyncio
import logging
import os
import signal
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Protocol, TypeVar

from signer.custody.process import forbid_inspection, lock_memory
from sixgate.config.loading import settings_digest
from sixgate.config.signer import SignerProcessSettings
from sixgate.logs import configure_logging
from sixgate.services.monitor import Monitor, serving
from sixgate.services.stall import StallLimits, ending_stalled
from streams.kafka.broker_watch import BrokerWatch

S_contra = TypeVar("S_contra", bound=SignerProcessSettings, contravariant=True)
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


class ProcessKind(Protocol[S_contra]):
    """Makes a process with its settings."""

    @property
    def role(self) -> str:
        """The name of the process in logs and metrics."""
        ...

    def __call__(self, settings: S_contra) -> Process:
        """Open its files and keys."""
        ...


def run_process(
    kind: ProcessKind[S_contra], settings: S_contra, limits: StallLimits | None = None
) -> None:
    """Make a process and run it until SIGTERM or SIGINT; raise the first error."""
    configure_logging(settings.monitor.log_level)
    facts = {"role": kind.role, "pid": os.getpid(), "version": version("sixgate")}
    _LOG.info("process.started", extra=facts | {"settings": settings_digest(settings)})
    try:
        asyncio.run(_run(kind(settings), settings, limits or StallLimits()))
    except BaseExceptionGroup as group:
        # The exit code depends on the error's type, and a TaskGroup wraps it.
        raise first_error(group) from None
    _LOG.info("process.stopped")


def protect_memory() -> None:
    """Protect the process's memory; call it before the first key is read.

    No other process of this user can read it, and it is not swapped out; a warning is logged if the
    system forbids the latter.
    """
    forbid_inspection()
    if not lock_memory():
        advice = "allow it with RLIMIT_MEMLOCK or CAP_IPC_LOCK, or run without swap"
        _LOG.warning("memory.unlocked", extra={"detail": advice})


async def _run(process: Process, settings: SignerProcessSettings, limits: StallLimits) -> None:
    stop = asyncio.Event()

    def stop_on(number: signal.Signals) -> None:
        _LOG.info("process.stopping", extra={"signal": number.name})
        stop.set()

    for number in STOP_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, stop_on, number)
    brokers = BrokerWatch(settings.kafka.broker("sixgate-watch"), _log_brokers)
    process.monitor.ready_while(brokers.is_answered)
    monitor = settings.monitor
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(ending_stalled(process.monitor, limits))
        await opened.enter_async_context(brokers.watching())
        if monitor.port:
            await opened.enter_async_context(serving(process.monitor, monitor.host, monitor.port))
        await process.run(stop)


def first_error(error: BaseException) -> BaseException:
    """Return the first error of a group; another error as it is."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _log_brokers(are_there: bool) -> None:  # noqa: FBT001 - the one thing that changes
    if are_there:
        _LOG.info("kafka.answers")
    else:
        _LOG.warning("kafka.lost")
