"""Simulations in worker processes: bounded time, bounded memory, a fair share for every account."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pydantic import ValidationError

from streams.simulators.genesis import Genesis
from streams.simulators.simulation import (
    Call,
    Done,
    Simulation,
    SimulationError,
    SimulatorError,
    Task,
)
from streams.simulators.turns import Turns
from streams.simulators.worker_process import WorkerProcess
from streams.simulators.workers import Answered, Ended, Workers

Answer = Simulation | SimulationError


class PoolClosedError(SimulatorError):
    """The pool was used after `close`."""


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """What a pool may use.

    `timeout_ms` bounds one call, `start_timeout_ms` the start of a worker process,
    `memory_bytes_max` the address space of one.
    """

    workers_max: int = 2
    timeout_ms: int = 250
    start_timeout_ms: int = 10_000
    memory_bytes_max: int = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Flight:
    """A call that runs: its index in the batch, and when its time is over (monotonic)."""

    index: int
    ends_at_s: float


class _Batch:
    """The calls of one `run`, and their answers so far."""

    def __init__(self, calls: Sequence[Call], chains: Mapping[int, Genesis]) -> None:
        self.calls = calls
        self._answers: dict[int, Answer] = {
            index: _no_simulator(call.chain_id)
            for index, call in enumerate(calls)
            if call.chain_id not in chains
        }
        self.turns = Turns(
            (index, call.account) for index, call in enumerate(calls) if index not in self._answers
        )

    @property
    def open(self) -> bool:
        return len(self._answers) < len(self.calls)

    def land(self, flight: _Flight, answer: Answer) -> None:
        self._answers[flight.index] = answer
        self.turns.finish(flight.index, time.monotonic())

    def give_up(self, answer: Answer) -> None:
        """Answer everything that has not started."""
        self._answers |= dict.fromkeys(self.turns.drain(), answer)

    def answers(self) -> list[Answer]:
        return [self._answers[index] for index in range(len(self.calls))]


class SimulatorPool:
    """Simulates on local geneses in up to `limits.workers_max` processes.

    Workers start when first needed, then wait idle, and die with the process that owns the pool.
    For one thread at a time; a context manager.
    """

    def __init__(self, geneses: Iterable[Genesis], limits: PoolLimits | None = None) -> None:
        self._limits = limits or PoolLimits()
        self._busy: dict[WorkerProcess, _Flight] = {}
        self._workers: Workers | None = None
        self._employ(geneses)

    def run(self, calls: Sequence[Call], deadline_ms: int) -> list[Answer]:
        """Simulate all calls; the answers are in their order.

        A call that takes over `limits.timeout_ms`, or is not done (perhaps not started) when
        `deadline_ms` are over, is `simulation_timeout`; one whose worker dies is
        `simulation_failed`; one for a chain without genesis is `no_simulator`. The deadline counts
        from when a worker is ready: when none is yet, `limits.start_timeout_ms` come before it.
        Raises PoolClosedError.
        """
        workers = self._open_workers()
        batch = _Batch(calls, self._chains)
        try:
            if batch.open:
                self._warm_up(workers, batch)
            self._work_off(workers, batch, deadline_ms)
        except BaseException:  # Ctrl-C, say: what still runs must not answer to the next batch
            self.reload(self._chains.values())
            raise
        return batch.answers()

    def reload(self, geneses: Iterable[Genesis]) -> None:
        """Replace all geneses; workers with the old ones end. Raises PoolClosedError."""
        self._open_workers().close()
        self._busy.clear()
        self._employ(geneses)

    def close(self) -> None:
        """End all workers; harmless when done twice."""
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

    def _employ(self, geneses: Iterable[Genesis]) -> None:
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

    def _warm_up(self, workers: Workers, batch: _Batch) -> None:
        """Have as many workers as the batch can use, at least one of them ready if any can be."""
        workers.poll(0)  # find those that died while idle: others start before time counts
        for _ in range(min(self._limits.workers_max, batch.turns.waiting) - workers.alive):
            workers.start()
        while not workers.idle and workers.starting:
            workers.poll(workers.next_due_s() - time.monotonic())

    def _work_off(self, workers: Workers, batch: _Batch, deadline_ms: int) -> None:
        ends_at_s = time.monotonic() + deadline_ms / 1000
        while batch.open and workers.alive:
            self._dispatch(workers, batch, ends_at_s)
            self._collect(workers, batch, ends_at_s)
            self._end_overdue(workers, batch)
            if time.monotonic() >= ends_at_s:
                batch.give_up(_timeout(f"No worker had time for it within {deadline_ms} ms."))
        if batch.open:
            batch.give_up(_failed(f"No worker could be started: {workers.start_failure}."))

    def _dispatch(self, workers: Workers, batch: _Batch, ends_at_s: float) -> None:
        """Give idle workers the next calls."""
        while workers.idle and batch.turns.waiting:
            now_s = time.monotonic()
            index = batch.turns.start(now_s)
            bound_s = min(self._limits.timeout_ms / 1000, max(0.001, ends_at_s - now_s))
            task = Task(call=batch.calls[index], timeout_ms=math.ceil(bound_s * 1000))
            worker = workers.idle.pop()
            self._busy[worker] = _Flight(index, now_s + bound_s)
            try:
                worker.send(task.model_dump_json().encode(), bound_s)
            except TimeoutError:
                self._replace(workers, batch, worker, _timeout("A worker did not take it in time."))
            except OSError:  # it had died before: the call has not run
                self._exchange(workers, worker)
                batch.turns.put_back(index)

    def _collect(self, workers: Workers, batch: _Batch, ends_at_s: float) -> None:
        """Wait for the next thing that happens and book it."""
        bounds_s = [flight.ends_at_s for flight in self._busy.values()]
        until_s = min([ends_at_s, workers.next_due_s(), *bounds_s])
        for event in workers.poll(until_s - time.monotonic()):
            match event:
                case Ended(worker, how):
                    batch.land(self._busy.pop(worker), _ended(how))
                    workers.start()
                case Answered(worker, payload):
                    self._accept(workers, batch, worker, payload)

    def _accept(
        self, workers: Workers, batch: _Batch, worker: WorkerProcess, payload: bytes
    ) -> None:
        try:
            done = Done.model_validate_json(payload)
        except ValidationError:
            self._replace(workers, batch, worker, _failed("A worker's answer made no sense."))
            return
        if done.worn:
            self._replace(workers, batch, worker, done.simulation)
            return
        batch.land(self._busy.pop(worker), done.simulation)
        workers.idle.append(worker)

    def _end_overdue(self, workers: Workers, batch: _Batch) -> None:
        now_s = time.monotonic()
        late = _timeout(f"It did not end within its time (at most {self._limits.timeout_ms} ms).")
        for worker in [w for w, flight in self._busy.items() if flight.ends_at_s <= now_s]:
            self._replace(workers, batch, worker, late)

    def _replace(
        self, workers: Workers, batch: _Batch, worker: WorkerProcess, answer: Answer
    ) -> None:
        batch.land(self._exchange(workers, worker), answer)

    def _exchange(self, workers: Workers, worker: WorkerProcess) -> _Flight:
        """End a busy worker, start another, and return what it was busy with."""
        workers.end(worker)
        workers.start()
        return self._busy.pop(worker)


def _no_simulator(chain_id: int) -> SimulationError:
    return SimulationError(
        code="no_simulator", detail=f"No simulator holds chain {chain_id}; add a genesis for it."
    )


def _timeout(detail: str) -> SimulationError:
    return SimulationError(code="simulation_timeout", detail=detail)


def _failed(detail: str) -> SimulationError:
    return SimulationError(code="simulation_failed", detail=detail)


def _ended(how: str) -> SimulationError:
    """Read how a worker ended in the middle of a call; SIGALRM is its own guard against time."""
    if how.startswith("SIGALRM"):
        return _timeout("The worker's own alarm ended it.")
    return _failed(f"The worker ended with {how}.")
