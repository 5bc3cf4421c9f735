"""The calls of one run and their answers, in words where there is no simulation."""

import time
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from streams.simulators.fair_queue import Turns
from streams.simulators.simulation import Call, Simulation, SimulationError

Answer: TypeAlias = Simulation | SimulationError


@dataclass(frozen=True, slots=True)
class Flight:
    """A call that runs: its index in the batch, and when its time is over (monotonic)."""

    index: int
    ends_at_s: float


class Batch:
    """The calls of one run, and their answers so far; `chains` are those that can be simulated."""

    def __init__(self, calls: Sequence[Call], chains: Container[int]) -> None:
        self.calls = calls
        self._answers: dict[int, Answer] = {
            index: no_simulator(call.chain_id)
            for index, call in enumerate(calls)
            if call.chain_id not in chains
        }
        self.turns = Turns(
            (index, call.account) for index, call in enumerate(calls) if index not in self._answers
        )

    @property
    def open(self) -> bool:
        """Tell whether a call has no answer yet."""
        return len(self._answers) < len(self.calls)

    def land(self, flight: Flight, answer: Answer) -> None:
        """Take the answer to a call that ran."""
        self._answers[flight.index] = answer
        self.turns.finish(flight.index, time.monotonic())

    def give_up(self, answer: Answer) -> None:
        """Answer everything that has not started."""
        self._answers |= dict.fromkeys(self.turns.drain(), answer)

    def answers(self) -> list[Answer]:
        """Return all answers in the order of their calls."""
        return [self._answers[index] for index in range(len(self.calls))]


def no_simulator(chain_id: int) -> SimulationError:
    """Say that nobody simulates a chain."""
    return SimulationError(
        code="no_simulator", detail=f"No simulator holds chain {chain_id}; add a genesis for it."
    )


def timeout(detail: str) -> SimulationError:
    """Say that a simulation took too long."""
    return SimulationError(code="simulation_timeout", detail=detail)


def failed(detail: str) -> SimulationError:
    """Say that a simulation came to nothing."""
    return SimulationError(code="simulation_failed", detail=detail)


def ended(how: str) -> SimulationError:
    """Read how a worker ended in the middle of a call; SIGALRM is its own guard against time."""
    if how.startswith("SIGALRM"):
        return timeout("The worker's own alarm ended it.")
    return failed(f"The worker ended with {how}.")
