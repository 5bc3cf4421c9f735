"""Simulator on a folder of genesis files; reloads them when one changes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from streams.simulators.genesis import GenesisError, load_genesis
from streams.simulators.pool import PoolLimits, SimulatorPool
from streams.simulators.simulation import Call, Simulation, SimulationFailure

LIMITS = PoolLimits(workers_max=2, timeout_ms=500)
DEADLINE_MS = 2_000  # for one batch of any size
Stamp: TypeAlias = tuple[tuple[str, int, int], ...]


class LocalSimulator:
    """Simulates the chains that have a genesis ``*.json`` in ``folder``."""

    def __init__(self, folder: Path, limits: PoolLimits) -> None:
        self._folder = folder
        self._pool = SimulatorPool((), limits)
        self._stamp: Stamp = ()

    def run(self, calls: Sequence[Call], deadline_ms: int) -> list[Simulation | SimulationFailure]:
        """Simulate all calls; an unreadable genesis file fails all of them, with its error."""
        try:
            self._refresh()
        except (GenesisError, OSError) as error:
            return [SimulationFailure(code="simulation_failed", detail=str(error)) for _ in calls]
        return self._pool.run(calls, deadline_ms)

    def close(self) -> None:
        """End the worker processes."""
        self._pool.close()

    def _refresh(self) -> None:
        stamp = _stamp(self._folder)
        if stamp != self._stamp:
            self._pool.reload([load_genesis(self._folder / name) for name, _, _ in stamp])
            self._stamp = stamp


def _stamp(folder: Path) -> Stamp:
    files = sorted(folder.glob("*.json"))
    return tuple((f.name, f.stat().st_mtime_ns, f.stat().st_size) for f in files)
