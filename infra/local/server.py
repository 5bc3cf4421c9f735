"""One server process: started, awaited, stopped, killed and paused."""

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.errors import ServerError
from infra.local.process import Process, remembered, spawn

START_S_MAX = 90
STOP_S_MAX = 30
_POLL_S = 0.05


class Server:
    """A process that belongs to a folder: whoever opens the folder finds it again."""

    def __init__(
        self,
        folder: Path,
        command: list[str],
        answers: Callable[[], bool],
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Take what to run, how to tell that it answers, and ``more`` for its environment."""
        self.folder = folder
        self._more = more or {}
        self._command = command
        self._answers = answers
        self._file = folder / "process.json"
        self.log = folder / "server.log"

    @property
    def process(self) -> Process | None:
        """Return the process, if it runs."""
        return remembered(self._file)

    @property
    def running(self) -> bool:
        """Tell whether it runs, whether it answers or not."""
        return self.process is not None

    def launch(self) -> None:
        """Start it, unless it runs, without waiting for an answer."""
        if not self.running:
            spawn(self._command, self.log, self._more).remember(self._file)

    def await_answer(self) -> None:
        """Wait until it answers; raise ``ServerError`` if it ends or takes too long."""
        until = time.monotonic() + START_S_MAX
        while not self._answers():
            if not self.running:
                raise ServerError(f"{self.folder.name} ended at its start: {self.log} says why.")
            if time.monotonic() > until:
                raise ServerError(f"{self.folder.name} does not answer: {self.log} may say why.")
            time.sleep(_POLL_S)

    def start(self) -> None:
        """Start it, unless it runs, and wait until it answers."""
        self.launch()
        self.await_answer()

    def ask_to_stop(self) -> None:
        """Ask it to end, also if it is paused."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)

    def stop(self) -> None:
        """End it and wait; what does not end when asked is killed."""
        self.ask_to_stop()
        if not self.ended(STOP_S_MAX):
            self.kill()

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until it is gone."""
        self.send(signal.SIGKILL)
        self.ended(STOP_S_MAX)

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: its connections stay and nothing answers."""
        if process := self.process:
            process.freeze()

    def resume(self) -> None:
        """Let a frozen one go on."""
        self.send(signal.SIGCONT)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if process := self.process:
            process.send(number)

    def ended(self, within_s: float) -> bool:
        """Wait until it has ended; return whether it has."""
        process = self.process
        return process is None or process.ended(within_s)
