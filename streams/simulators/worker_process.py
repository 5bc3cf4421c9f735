"""Handle of one worker process: start, send, non-blocking receive, kill."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from typing import IO

from streams.simulators.frames import FrameBuffer, frame
from streams.simulators.reverts import printable

_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")
_CHUNK_BYTES = 1 << 20
_LAST_WORDS_BYTES = 2_000


class WorkerEndedError(Exception):
    """The process has closed its end of the socket."""


class WorkerProcess:
    """A child process that runs `streams.simulators.worker`.

    It is started by exec, never by fork alone, in its own process group. It inherits only its
    socket and `geneses`, and ends when this end of the socket closes for any reason. Raises OSError
    if it cannot be started.
    """

    def __init__(self, geneses: IO[bytes], memory_bytes_max: int) -> None:
        with ExitStack() as opened:
            self._buffer = FrameBuffer()
            self._stderr = opened.enter_context(tempfile.TemporaryFile())
            self.connection, theirs = socket.socketpair()
            opened.enter_context(self.connection)
            with theirs:
                self._process = self._start((theirs.fileno(), geneses.fileno()), memory_bytes_max)
            opened.pop_all()

    def _start(self, fds: tuple[int, int], memory_bytes_max: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  # our own interpreter and module
            [sys.executable, "-P", "-m", "streams.simulators.worker"]
            + [str(argument) for argument in (*fds, memory_bytes_max)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._stderr,
            pass_fds=fds,
            process_group=0,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
        )

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the socket's descriptor, for selectors."""
        return self.connection.fileno()

    def send(self, payload: bytes, timeout_s: float) -> None:
        """Send one message. Raises OSError if the worker ended, TimeoutError if it is stuck."""
        self.connection.settimeout(timeout_s)
        self.connection.sendall(frame(payload))

    def receive(self) -> bytes | None:
        """Read available bytes; return a message once it is complete.

        Raises WorkerEndedError, and FrameError for an invalid message.
        """
        self.connection.settimeout(0)
        try:
            chunk = self.connection.recv(_CHUNK_BYTES)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            chunk = b""
        if not chunk:
            raise WorkerEndedError
        return self._buffer.feed(chunk)

    def kill(self) -> str:
        """Kill the process, unless it has ended, and return how it ended.

        A worker has no state to save, so there is no gentler way.
        """
        self._process.kill()
        code = self._process.wait()
        self.connection.close()
        last_words = self._last_words()
        ending = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"{ending} ({last_words})" if last_words else ending

    def _last_words(self) -> str:
        """Return the last line of standard error, without the notes that Rust appends."""
        with self._stderr as stderr:
            size = stderr.seek(0, os.SEEK_END)
            stderr.seek(max(0, size - _LAST_WORDS_BYTES))
            lines = stderr.read().splitlines()
        return printable(next((ln for ln in reversed(lines) if not ln.startswith(b"note:")), b""))
