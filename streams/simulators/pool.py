"""Pool of simulation workers: limits time and memory, and shares workers fairly by account."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from streams.simulators.batch import Answer, Batch
from streams.simulators.batch_run import BatchRun
from streams.simulators.genesis import Genesis
from streams.simulators.simulation import Call, SimulatorError
from streams.simulators.workers import Workers


class PoolClosedError(SimulatorError):
    """The pool was used after `close`."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """The limits of a pool.

    `timeout_ms` limits one call, `start_timeout_ms` the start of a worker process,
    `memory_bytes_max` the address space of one.
    """

    workers_max: int = 2
    timeout_ms: int = 250
    start_timeout_ms: int = 10_000
    memory_bytes_max: int = 512 * 1024 * 1024


class SimulatorPool:
    """Simulates on local geneses in up to `limits.workers_max` processes.

    Workers start when first needed, then wait idle, and end with the process that owns the pool.
    Use it from one thread at a time; it is a context manager.
    """

    def __init__(self, geneses: Iterable[Genesis], limits: PoolLimits | None = None) -> None:
        self._limits = limits or PoolLimits()
        self._workers: Workers | None = None
        self._open(geneses)

    def run(self, calls: Sequence[Call], deadline_ms: int) -> list[Answer]:
        """Simulate all calls and return their answers in order.

        Errors: `simulation_timeout` for a call that takes over `limits.timeout_ms` or is not done
        (perhaps not started) after `deadline_ms`; `simulation_failed` if its worker dies;
        `no_simulator` for a chain without genesis. The deadline counts from the moment a worker is
        ready, which takes up to `limits.start_timeout_ms`. Raises PoolClosedError.
        """
        batch = Batch(calls, self._chains)
        run = BatchRun(self._open_workers(), batch, self._limits.timeout_ms)
        try:
            if batch.open:
                run.warm_up(self._limits.workers_max)
            run.run(deadline_ms)
        except BaseException:  # such as Ctrl-C: a running call must not answer the next batch
            self.reload(self._chains.values())
            raise
        return batch.answers()

    def reload(self, geneses: Iterable[Genesis]) -> None:
        """Replace all geneses; workers with the old ones end. Raises PoolClosedError."""
        self._open_workers().close()
        self._open(geneses)

    def close(self) -> None:
        """End all workers; idempotent."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, geneses: Iterable[Genesis]) -> None:
        self._chains = {genesis.chain_id: genesis for genesis in geneses}
        self._workers = Workers(
            tuple(self._chains.values()),
            self._limits.memory_bytes_max,
            self._limits.start_timeout_ms,
        )

    def _open_workers(self) -> Workers:
        if self._workers is None:
            raise PoolClosedError("The simulator pool is closed; open a new one.")
        return self._workers
