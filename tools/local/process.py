"""Processes that outlive their parent, identified by process id and start time.

The kernel reuses process ids. So every signal goes through a pidfd whose start time was compared.
"""

import errno
import json
import os
import select
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_NO_PROCESS = (errno.ESRCH, errno.EINVAL, errno.ENOENT)  # no such process, or a thread's id
_STATE, _STARTED = 0, 19  # fields of /proc/PID/stat, counted after the name
_NOT_RUNNING = "TtZX"  # stopped, traced, ended
_FREEZE_POLL_S = 0.001


class Process(NamedTuple):
    """A process, identified by its id and its start: boot id and clock ticks since boot."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        """Tell whether the process still runs; a zombie does not."""
        with self._held() as handle:
            return handle is not None and not _ended(handle, 0)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process; do nothing if it has ended."""
        with self._held() as handle, suppress(ProcessLookupError):
            if handle is not None:
                signal.pidfd_send_signal(handle, number)

    def freeze(self) -> None:
        """Stop it with SIGSTOP and return when all its threads have stopped."""
        self.send(signal.SIGSTOP)
        await_frozen(self.pid)

    def ended(self, within_s: float) -> bool:
        """Wait until it has ended and released its ports and files; return whether it has."""
        with self._held() as handle:
            if handle is None:
                return True
            gone = _ended(handle, within_s)
        _reap(self.pid)
        return gone

    def save(self, file: Path) -> None:
        """Write id and start to a file, for other processes."""
        draft = file.with_suffix(".draft")
        draft.write_text(json.dumps(self._asdict()))
        draft.replace(file)

    @contextmanager
    def _held(self) -> Iterator[int | None]:
        """Yield a pidfd, which never refers to another process; None if the id was reused."""
        handle = _handle(self.pid)
        if handle is None:
            yield None
            return
        try:
            yield handle if _started(self.pid) == self.started else None
        finally:
            os.close(handle)


def load_running(file: Path) -> Process | None:
    """Return the process saved in a file if it still runs, else None."""
    try:
        found = Process(**json.loads(file.read_bytes()))
        runs = found.alive
    except (FileNotFoundError, ValueError, TypeError, OverflowError):
        return None
    return found if runs else None


def spawn(command: list[str], log: Path, environment: Mapping[str, str]) -> Process:
    """Start a process in its own session; append its output to ``log``.

    ``environment`` is added to this process's variables. Other users cannot read it, unlike
    command lines.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    pid = os.posix_spawn(
        command[0],
        command,
        {**os.environ, **environment},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return Process(pid, _started(pid) or "ended")


def await_frozen(pid: int) -> None:
    """Wait until every thread of a process has stopped or ended after SIGSTOP.

    ``kill`` returns before that: on a busy machine a thread may still answer a request.
    """
    while any(_runs(thread) for thread in _threads(pid)):
        time.sleep(_FREEZE_POLL_S)


def _threads(pid: int) -> list[Path]:
    try:
        return list(Path(f"/proc/{pid}/task").iterdir())
    except (FileNotFoundError, ProcessLookupError):
        return []


def _runs(thread: Path) -> bool:
    fields = _fields(thread / "stat")
    return fields is not None and fields[_STATE] not in _NOT_RUNNING


def _fields(stat: Path) -> list[str] | None:
    """Return the fields after the name, which may contain any character (proc(5))."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _started(pid: int) -> str | None:
    fields = _fields(Path(f"/proc/{pid}/stat"))
    if fields is None:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{fields[_STARTED]}"


def _handle(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno in _NO_PROCESS:
            return None
        raise


def _ended(handle: int, within_s: float) -> bool:
    """Tell whether all threads have ended; the first one may end earlier (pidfd_open(2))."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(max(0.0, within_s) * 1000))


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # not a child of this process
