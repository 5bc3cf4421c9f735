"""A batch of calls and their answers, and the errors that can replace a simulation."""

import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from streams.simulators.fair_queue import FairQueue
from streams.simulators.simulation import Call, Simulation, SimulationFailure

Answer: TypeAlias = Simulation | SimulationFailure


@dataclass(frozen=True, slots=True)
class RunningCall:
    """A running call: its index in the batch, and its deadline (monotonic seconds)."""

    index: int
    ends_at_s: float


class Batch:
    """The calls of one run and their answers so far; `chains` can be simulated."""

    def __init__(self, calls: Sequence[Call], chains: Container[int]) -> None:
        self.calls = calls
        self._answers: dict[int, Answer] = {
            index: no_simulator(call.chain_id)
            for index, call in enumerate(calls)
            if call.chain_id not in chains
        }
        self.queue = FairQueue(
            (index, call.account) for index, call in enumerate(calls) if index not in self._answers
        )

    @property
    def open(self) -> bool:
        """Whether a call has no answer yet."""
        return len(self._answers) < len(self.calls)

    def finish(self, running: RunningCall, answer: Answer) -> None:
        """Record the answer to a running call."""
        self._answers[running.index] = answer
        self.queue.finish(running.index, time.monotonic())

    def answer_waiting(self, answer: Answer) -> None:
        """Give all calls that have not started the same answer."""
        self._answers |= dict.fromkeys(self.queue.drain(), answer)

    def answers(self) -> list[Answer]:
        """Return all answers in the order of their calls."""
        return [self._answers[index] for index in range(len(self.calls))]


def no_simulator(chain_id: int) -> SimulationFailure:
    """Return the error for a chain without a genesis."""
    return SimulationFailure(
        code="no_simulator", detail=f"No simulator has chain {chain_id}; add a genesis for it."
    )


def timeout(detail: str) -> SimulationFailure:
    """Return the error for a simulation that took too long."""
    return SimulationFailure(code="simulation_timeout", detail=detail)


def failed(detail: str) -> SimulationFailure:
    """Return the error for a simulation that failed."""
    return SimulationFailure(code="simulation_failed", detail=detail)


def ended(how: str) -> SimulationFailure:
    """Return the error for a worker that ended during a call; SIGALRM is its own timeout."""
    if how.startswith("SIGALRM"):
        return timeout("The worker ended itself: the call took too long.")
    return failed(f"The worker ended with {how}.")
