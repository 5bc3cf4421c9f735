"""Runs one batch on the workers of a pool: assigns calls and enforces their deadlines."""

import math
import time

from pydantic import ValidationError

from streams.simulators.batch import Answer, Batch, RunningCall, ended, failed, timeout
from streams.simulators.simulation import Done, Task
from streams.simulators.worker_process import WorkerProcess
from streams.simulators.workers import Answered, Ended, Workers


class BatchRun:
    """Assigns calls to workers, one per worker at a time; `timeout_ms` limits one call."""

    def __init__(self, workers: Workers, batch: Batch, timeout_ms: int) -> None:
        self._workers = workers
        self._batch = batch
        self._timeout_ms = timeout_ms
        self._busy: dict[WorkerProcess, RunningCall] = {}

    def warm_up(self, workers_max: int) -> None:
        """Start as many workers as the batch can use, and wait until one is ready or all failed."""
        self._workers.poll(0)  # detect workers that died while idle, before the deadline counts
        for _ in range(min(workers_max, self._batch.queue.waiting) - self._workers.alive):
            self._workers.start()
        while not self._workers.idle and self._workers.starting:
            self._workers.poll(self._workers.next_due_s() - time.monotonic())

    def run(self, deadline_ms: int) -> None:
        """Answer every call within `deadline_ms`."""
        ends_at_s = time.monotonic() + deadline_ms / 1000
        while self._batch.open and self._workers.alive:
            self._dispatch(ends_at_s)
            self._collect(ends_at_s)
            self._end_overdue()
            if time.monotonic() >= ends_at_s:
                self._batch.answer_waiting(timeout(f"No worker was free within {deadline_ms} ms."))
        if self._batch.open:
            self._batch.answer_waiting(
                failed(f"No worker could be started: {self._workers.start_failure}.")
            )

    def _dispatch(self, ends_at_s: float) -> None:
        """Send the next calls to idle workers."""
        while self._workers.idle and self._batch.queue.waiting:
            now_s = time.monotonic()
            index = self._batch.queue.start(now_s)
            bound_s = min(self._timeout_ms / 1000, max(0.001, ends_at_s - now_s))
            task = Task(call=self._batch.calls[index], timeout_ms=math.ceil(bound_s * 1000))
            worker = self._workers.idle.pop()
            self._busy[worker] = RunningCall(index, now_s + bound_s)
            try:
                worker.send(task.model_dump_json().encode(), bound_s)
            except TimeoutError:
                self._replace(worker, timeout("A worker did not accept the call in time."))
            except OSError:  # the worker died while idle: the call has not run, so it runs again
                self._restart(worker)
                self._batch.queue.put_back(index)

    def _collect(self, ends_at_s: float) -> None:
        """Wait for the next event and record it."""
        bounds_s = [running.ends_at_s for running in self._busy.values()]
        until_s = min([ends_at_s, self._workers.next_due_s(), *bounds_s])
        for event in self._workers.poll(until_s - time.monotonic()):
            match event:
                case Ended(worker, how):
                    self._batch.finish(self._busy.pop(worker), ended(how))
                    self._workers.start()
                case Answered(worker, payload):
                    self._accept(worker, payload)

    def _accept(self, worker: WorkerProcess, payload: bytes) -> None:
        try:
            done = Done.model_validate_json(payload)
        except ValidationError:
            self._replace(worker, failed("A worker sent an invalid answer."))
            return
        if done.worn:
            self._replace(worker, done.simulation)
            return
        self._batch.finish(self._busy.pop(worker), done.simulation)
        self._workers.idle.append(worker)

    def _end_overdue(self) -> None:
        now_s = time.monotonic()
        late = timeout(f"The call did not end in time (at most {self._timeout_ms} ms).")
        for worker in [w for w, running in self._busy.items() if running.ends_at_s <= now_s]:
            self._replace(worker, late)

    def _replace(self, worker: WorkerProcess, answer: Answer) -> None:
        self._batch.finish(self._restart(worker), answer)

    def _restart(self, worker: WorkerProcess) -> RunningCall:
        """End a busy worker, start another one, and return the call that was running."""
        self._workers.end(worker)
        self._workers.start()
        return self._busy.pop(worker)
