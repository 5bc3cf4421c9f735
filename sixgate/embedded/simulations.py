"""Simulations that callers of the API ask for, with a worker of their own.

The pipeline's simulator does not wait for them. A circuit breaker and one call at a time bound what
they cost.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

from sixgate.api_error import ApiError
from sixgate.clocks import boot_ms
from streams.simulators.guarded import GuardedSimulator
from streams.simulators.local import DEADLINE_MS, LocalSimulator
from streams.simulators.pool import PoolLimits
from streams.simulators.simulation import Call, Simulation, SimulationFailure

LIMITS = PoolLimits(workers_max=1, timeout_ms=500)
WAIT_S_MAX = 5


class Simulations:
    """The chains with a genesis in a folder; any thread may call."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._local = LocalSimulator(folder, LIMITS)
        self._guarded = GuardedSimulator(self._local, boot_ms)

    def run(self, calls: Sequence[Call]) -> list[Simulation | SimulationFailure]:
        """Simulate all calls; raise ``ApiError`` ``simulator_busy`` if none could start in time."""
        if not self._lock.acquire(timeout=WAIT_S_MAX):
            raise ApiError("simulator_busy", "the simulator is busy: retry in a moment")
        try:
            return self._guarded.run(calls, DEADLINE_MS)
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the worker."""
        with self._lock:
            self._local.close()
