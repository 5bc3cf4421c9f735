"""The worker processes of one pool: starting, idle, busy and ended ones."""

import selectors
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from streams.simulators.frames import FrameError
from streams.simulators.genesis import Genesis
from streams.simulators.worker_process import WorkerEndedError, WorkerProcess

_GENESES = TypeAdapter(tuple[Genesis, ...])


@dataclass(frozen=True, slots=True)
class Answered:
    """A worker sent this message."""

    worker: WorkerProcess
    payload: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker ended, was killed from outside, or was killed for an invalid message."""

    worker: WorkerProcess
    how: str


class Workers:
    """Worker processes that all have the same geneses."""

    def __init__(
        self, geneses: Sequence[Genesis], memory_bytes_max: int, start_timeout_ms: int
    ) -> None:
        self.idle: list[WorkerProcess] = []
        self.start_failure = ""
        """How the last worker ended that never became ready."""
        self._starting: dict[WorkerProcess, float] = {}
        self._alive: set[WorkerProcess] = set()
        self._memory_bytes_max = memory_bytes_max
        self._start_timeout_s = start_timeout_ms / 1000
        self._selector = selectors.DefaultSelector()
        # An unnamed file, inherited by descriptor: workers read exactly what was validated here.
        self._geneses = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the workers
        self._geneses.write(_GENESES.dump_json(tuple(geneses)))
        self._geneses.flush()

    @property
    def alive(self) -> int:
        """Return the number of workers, ready or not."""
        return len(self._alive)

    @property
    def starting(self) -> bool:
        """Whether some workers are not ready yet."""
        return bool(self._starting)

    def next_due_s(self) -> float:
        """Return when the next start times out (monotonic seconds)."""
        return min(self._starting.values(), default=float("inf"))

    def start(self) -> None:
        """Start one more worker; later it is in `idle`, or `start_failure` has its error."""
        try:
            worker = WorkerProcess(self._geneses, self._memory_bytes_max)
        except OSError as error:
            self.start_failure = error.strerror or type(error).__name__
            return
        self._alive.add(worker)
        self._starting[worker] = time.monotonic() + self._start_timeout_s
        self._selector.register(worker, selectors.EVENT_READ)

    def end(self, worker: WorkerProcess) -> str:
        """Kill a worker and return how it ended."""
        self._alive.discard(worker)
        self._starting.pop(worker, None)
        self._selector.unregister(worker)
        return worker.kill()

    def poll(self, timeout_s: float) -> list[Answered | Ended]:
        """Wait for events; return the answers of busy workers and those of them that ended."""
        events = [
            event
            for key, _ in self._selector.select(max(0.0, timeout_s))
            if isinstance(key.fileobj, WorkerProcess)
            and (event := self._receive(key.fileobj)) is not None
        ]
        now_s = time.monotonic()
        for worker in [worker for worker, due_s in self._starting.items() if due_s <= now_s]:
            self.start_failure = f"no sign of life in time, {self.end(worker)}"
        return events

    def close(self) -> None:
        """End all workers."""
        for worker in tuple(self._alive):
            self.end(worker)
        self._selector.close()
        self._geneses.close()

    def _receive(self, worker: WorkerProcess) -> Answered | Ended | None:
        try:
            payload = worker.receive()
        except (WorkerEndedError, FrameError):
            return self._remove(worker)
        if payload is None:
            return None
        if self._starting.pop(worker, None) is not None:
            self.idle.append(worker)
            return None
        return Answered(worker, payload)

    def _remove(self, worker: WorkerProcess) -> Ended | None:
        """Remove a worker that ended; return an event only if it was busy."""
        was_starting = worker in self._starting
        how = self.end(worker)
        if was_starting:
            self.start_failure = how
        elif worker in self.idle:
            self.idle.remove(worker)
        else:
            return Ended(worker, how)
        return None
