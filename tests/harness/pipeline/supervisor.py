"""A supervisor that restarts ended processes, as docs/operations.md advises."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from sixgate.cli.exit_codes import ExitCode
from sixgate.services.gates import IO_FAILED
from tests.harness.pipeline.scaled import Scaled

# Exit codes of outages. A process that ends with another code is not restarted, so the test fails.
STARTED_AGAIN = frozenset({ExitCode.UNREACHABLE, ExitCode.HALTED, IO_FAILED})
LOOK_S = 0.2
RESTART_S = 1.0


class End(NamedTuple):
    """A process that ended, with its exit code."""

    name: str
    code: int


@dataclass
class Supervisor:
    """Restarts the processes of an organisation; ``ends`` has their exit codes."""

    scaled: Scaled
    ends: list[End] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Poll the processes until ``stop``."""
        while not self._done.wait(LOOK_S):
            for name, process in list(self.scaled.processes.items()):
                code = process.poll()
                if code in STARTED_AGAIN:
                    self.ends.append(End(name, code))
                    self._start_again(name)

    def stop(self) -> None:
        self._done.set()

    def _start_again(self, name: str) -> None:
        if not self._done.wait(RESTART_S):
            self.scaled.start(name)


@contextmanager
def supervised(scaled: Scaled) -> Iterator[Supervisor]:
    """Start every process of an organisation and keep them all running."""
    supervisor = Supervisor(scaled)
    thread = threading.Thread(target=supervisor.watch, name="supervisor")
    scaled.started_again = STARTED_AGAIN
    scaled.start_all()
    thread.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()
        thread.join()
