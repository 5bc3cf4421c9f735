"""Long-running commands: run a process until it is stopped."""

from typing import TYPE_CHECKING

from sixgate.cli.failures import expected_errors

if TYPE_CHECKING:
    from sixgate.scaled.process import Process
    from sixgate.scaled.settings import Settings


def run_until_stopped(kind: "type[Process]", settings: "Settings") -> None:
    """Run a process until SIGTERM or SIGINT; raise its first failure."""
    from sixgate.scaled.process import run_process  # slow: imports asyncio and metrics

    expected_errors()
    run_process(kind, settings)
