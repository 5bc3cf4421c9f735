"""One batch of calls on the workers of a pool: who gets which call, and until when."""

import math
import time

from pydantic import ValidationError

from streams.simulators.batch import Answer, Batch, Flight, ended, failed, timeout
from streams.simulators.simulation import Done, Task
from streams.simulators.worker_process import WorkerProcess
from streams.simulators.workers import Answered, Ended, Workers


class BatchRun:
    """Hands a batch's calls to workers, one at a time each; `timeout_ms` bounds one call."""

    def __init__(self, workers: Workers, batch: Batch, timeout_ms: int) -> None:
        self._workers = workers
        self._batch = batch
        self._timeout_ms = timeout_ms
        self._busy: dict[WorkerProcess, Flight] = {}

    def warm_up(self, workers_max: int) -> None:
        """Have as many workers as the batch can use, at least one of them ready if any can be."""
        self._workers.poll(0)  # find those that died while idle: others start before time counts
        for _ in range(min(workers_max, self._batch.turns.waiting) - self._workers.alive):
            self._workers.start()
        while not self._workers.idle and self._workers.starting:
            self._workers.poll(self._workers.next_due_s() - time.monotonic())

    def work_off(self, deadline_ms: int) -> None:
        """Have every call answered, the last when `deadline_ms` are over."""
        ends_at_s = time.monotonic() + deadline_ms / 1000
        while self._batch.open and self._workers.alive:
            self._dispatch(ends_at_s)
            self._collect(ends_at_s)
            self._end_overdue()
            if time.monotonic() >= ends_at_s:
                self._batch.give_up(timeout(f"No worker had time for it within {deadline_ms} ms."))
        if self._batch.open:
            self._batch.give_up(
                failed(f"No worker could be started: {self._workers.start_failure}.")
            )

    def _dispatch(self, ends_at_s: float) -> None:
        """Give idle workers the next calls."""
        while self._workers.idle and self._batch.turns.waiting:
            now_s = time.monotonic()
            index = self._batch.turns.start(now_s)
            bound_s = min(self._timeout_ms / 1000, max(0.001, ends_at_s - now_s))
            task = Task(call=self._batch.calls[index], timeout_ms=math.ceil(bound_s * 1000))
            worker = self._workers.idle.pop()
            self._busy[worker] = Flight(index, now_s + bound_s)
            try:
                worker.send(task.model_dump_json().encode(), bound_s)
            except TimeoutError:
                self._replace(worker, timeout("A worker did not take it in time."))
            except OSError:  # it had died before: the call has not run
                self._exchange(worker)
                self._batch.turns.put_back(index)

    def _collect(self, ends_at_s: float) -> None:
        """Wait for the next thing that happens and book it."""
        bounds_s = [flight.ends_at_s for flight in self._busy.values()]
        until_s = min([ends_at_s, self._workers.next_due_s(), *bounds_s])
        for event in self._workers.poll(until_s - time.monotonic()):
            match event:
                case Ended(worker, how):
                    self._batch.land(self._busy.pop(worker), ended(how))
                    self._workers.start()
                case Answered(worker, payload):
                    self._accept(worker, payload)

    def _accept(self, worker: WorkerProcess, payload: bytes) -> None:
        try:
            done = Done.model_validate_json(payload)
        except ValidationError:
            self._replace(worker, failed("A worker's answer made no sense."))
            return
        if done.worn:
            self._replace(worker, done.simulation)
            return
        self._batch.land(self._busy.pop(worker), done.simulation)
        self._workers.idle.append(worker)

    def _end_overdue(self) -> None:
        now_s = time.monotonic()
        late = timeout(f"It did not end within its time (at most {self._timeout_ms} ms).")
        for worker in [w for w, flight in self._busy.items() if flight.ends_at_s <= now_s]:
            self._replace(worker, late)

    def _replace(self, worker: WorkerProcess, answer: Answer) -> None:
        self._batch.land(self._exchange(worker), answer)

    def _exchange(self, worker: WorkerProcess) -> Flight:
        """End a busy worker, start another, and return what it was busy with."""
        self._workers.end(worker)
        self._workers.start()
        return self._busy.pop(worker)
