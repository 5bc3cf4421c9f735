"""Simulations that callers of the API ask for, with a worker of their own.

The pipeline's simulator does not wait for them. A circuit breaker and one call at a time bound what
they cost, and few calls wait: each occupies a thread that other requests need.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sixgate.api_error import ApiError
from sixgate.clocks import boot_ms
from streams.simulators.guarded import GuardedSimulator
from streams.simulators.local import DEADLINE_MS, LocalSimulator
from streams.simulators.pool import PoolLimits
from streams.simulators.simulation import Call, Simulation, SimulationFailure

LIMITS = PoolLimits(workers_max=1, timeout_ms=500)
WAIT_S_MAX = 5
ASKED_MAX = 8


class Simulations:
    """The chains with a genesis in a folder; any thread may call."""

    def __init__(self, folder: Path) -> None:
        self._asked = threading.BoundedSemaphore(ASKED_MAX)
        self._lock = threading.Lock()
        self._local = LocalSimulator(folder, LIMITS)
        self._guarded = GuardedSimulator(self._local, boot_ms)

    def run(self, calls: Sequence[Call]) -> list[Simulation | SimulationFailure]:
        """Simulate all calls; raise ``ApiError`` ``simulator_busy`` if none could start in time."""
        with _taken(self._asked, 0), _taken(self._lock, WAIT_S_MAX):
            return self._guarded.run(calls, DEADLINE_MS)

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            self._local.close()


@contextmanager
def _taken(turn: "threading.Semaphore | threading.Lock", wait_s: float) -> Iterator[None]:
    if not turn.acquire(timeout=wait_s):
        raise ApiError("simulator_busy", "the simulator is busy: retry in a moment")
    try:
        yield
    finally:
        turn.release()
