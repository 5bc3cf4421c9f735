"""Long-running commands: run a process until it is stopped."""

import logging
from typing import TYPE_CHECKING

from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import Failure, failure_of

if TYPE_CHECKING:
    from sixgate.scaled.process import Process
    from sixgate.scaled.settings import Settings

# A halt needs an operator before the next start; every other failure may be restarted.
EVENTS = {
    ExitCode.HALTED: "process.halted",
    ExitCode.LEDGER_WRONG: "process.halted",
    ExitCode.TAKEN_OVER: "process.fenced",
}
_LOG = logging.getLogger("sixgate.process")


def run_until_stopped(kind: "type[Process]", settings: "Settings") -> None:
    """Run a process until SIGTERM or SIGINT; raise its first failure."""
    from sixgate.scaled.process import run_process  # slow: imports asyncio and metrics

    try:
        run_process(kind, settings)
    except Exception as error:
        log_end(failure_of(error), error)
        raise


def log_end(failure: Failure, error: Exception) -> None:
    """Log the error that ends a process; ``failure`` quotes no message of a foreign exception."""
    event = EVENTS.get(failure.code, "process.failed")
    facts = {"error": type(error).__name__, "exit_code": failure.code.value}
    _LOG.error(event, extra=facts | {"detail": failure.sentence})
