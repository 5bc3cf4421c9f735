"""One server process: started, awaited, stopped, killed and paused."""

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.local.errors import ServerError
from tools.local.process import Process, load_running, spawn

START_S_MAX = 90
STOP_S_MAX = 30
_POLL_S = 0.05


class Server:
    """A process that belongs to a folder; its id is kept there, so that any program finds it."""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        answers: Callable[[], bool],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Set the command, a health check, and variables to add to its environment."""
        self.folder = folder
        self._environment = environment or {}
        self._command = command
        self._answers = answers
        self._file = folder / "process.json"
        self.log = folder / "server.log"

    @property
    def process(self) -> Process | None:
        """Return the process, if it runs."""
        return load_running(self._file)

    @property
    def running(self) -> bool:
        """Tell whether the process runs, whether it answers or not."""
        return self.process is not None

    def launch(self) -> None:
        """Start it, unless it runs, without waiting for an answer."""
        if not self.running:
            # If this process ends before save, the server runs unrecorded, and the next start finds
            # its port taken.
            spawn(self._command, self.log, self._environment).save(self._file)

    def await_answer(self) -> None:
        """Wait until it answers; raise ``ServerError`` if it ends or takes too long."""
        until = time.monotonic() + START_S_MAX
        while not self._answers():
            if not self.running:
                raise ServerError(f"{self.folder.name} ended while starting: see {self.log}.")
            if time.monotonic() > until:
                raise ServerError(f"{self.folder.name} does not answer: see {self.log}.")
            time.sleep(_POLL_S)

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        self.launch()
        self.await_answer()

    def ask_to_stop(self) -> None:
        """Send SIGTERM, and SIGCONT in case it is paused."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)

    def stop(self) -> None:
        """Stop it and wait; kill it if it does not end."""
        self.ask_to_stop()
        if not self.ended(STOP_S_MAX):
            self.kill()

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until it has ended."""
        self.send(signal.SIGKILL)
        self.ended(STOP_S_MAX)

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it with SIGSTOP: its connections stay open and it does not answer."""
        if process := self.process:
            process.freeze()

    def resume(self) -> None:
        """Resume it after ``pause``."""
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if process := self.process:
            process.send(number)

    def ended(self, within_s: float) -> bool:
        """Wait until it has ended; return whether it has."""
        process = self.process
        return process is None or process.ended(within_s)
