"""Processes that outlive who started them, told apart from others that got the same number."""

import json
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_POLL_S = 0.02
_STATE, _STARTED = 0, 19  # fields of /proc/PID/stat, counted after the name


class Process(NamedTuple):
    """A process by its number and its start: boot id and clock ticks since then."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Tell whether it still runs; an ended child that nobody waited for does not."""
        return _started(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process and to no other; one that has ended is left in peace."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            if self.alive:  # asked while the handle holds the number
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)

    def ended(self, within_s: float) -> bool:
        """Wait until it has ended; return whether it has."""
        until = time.monotonic() + within_s
        while self.alive and time.monotonic() < until:
            time.sleep(_POLL_S)
        _reap(self.pid)
        return not self.alive

    def remember(self, file: Path) -> None:
        """Write it down for other processes."""
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(self._asdict()))
        draft.replace(file)


def remembered(file: Path) -> Process | None:
    """Return the process that was written down, if it runs."""
    try:
        found = Process(**json.loads(file.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return found if found.alive else None


def spawn(command: list[str], log: Path, more: Mapping[str, str]) -> Process:
    """Start a process in a session of its own, its output appended to ``log``.

    ``more`` is added to its environment, where no other user of the machine sees it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        command,
        {**os.environ, **more},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Process(pid, _started(pid) or "ended")


def _started(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE] in "ZX":
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[_STARTED]}"


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # somebody else's child
