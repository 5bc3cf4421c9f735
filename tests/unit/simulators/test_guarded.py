"""A simulator that hangs, dies and comes back, behind its breaker; time is the test's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest

from streams.simulators.batch import Answer, failed, no_simulator, timeout
from streams.simulators.breaker import BreakerLimits, State
from streams.simulators.guarded import GuardedSimulator
from streams.simulators.simulation import Call, Simulation, SimulationFailure, Status
from tests.harness.builders.simulation import BOB, CONTRACT, call

DEADLINE_MS = 2_000
LIMITS = BreakerLimits(failed_count_max=3, open_ms=10_000)
DONE = Simulation(
    chain_id=1,
    status=Status.SUCCEEDED,
    gas_used=21_000,
    block_number=1,
    block_timestamp_s=1,
    base_fee_wei=0,
)
TRANSFER, HOSTILE, ELSEWHERE = call(BOB), call(CONTRACT), call(BOB, chain_id=137)


def healthy(one: Call) -> Answer:
    if one.chain_id != 1:
        return no_simulator(one.chain_id)
    return timeout("it loops") if one.to == CONTRACT else DONE


def hung(_: Call) -> Answer:
    return timeout("no answer")


def dead(_: Call) -> Answer:
    return failed("the worker ended with SIGKILL")


@dataclass
class Remote:
    """A remote simulator; a call that times out takes its whole deadline."""

    now_ms: int = 0
    answer: Callable[[Call], Answer] = healthy
    asked: list[Call] = field(default_factory=list)

    def run(self, calls: Sequence[Call], deadline_ms: int) -> list[Answer]:
        assert deadline_ms > 0
        self.asked += calls
        answers = [self.answer(one) for one in calls]
        if timeout("no answer") in answers:
            self.now_ms += deadline_ms
        return answers


@dataclass
class Guarded:
    remote: Remote = field(default_factory=Remote)

    def __post_init__(self) -> None:
        self.simulator = GuardedSimulator(self.remote, lambda: self.remote.now_ms, LIMITS)

    def run(self, *calls: Call) -> list[str]:
        """Return how each call ended: ``succeeded``, or the code of an error."""
        answers = self.simulator.run(calls, DEADLINE_MS)
        return [a.status.value if isinstance(a, Simulation) else a.code for a in answers]

    def state(self) -> State:
        return self.simulator.state

    def cost_ms(self, *calls: Call) -> int:
        """Return how long a failed batch took."""
        before_ms = self.remote.now_ms
        assert "succeeded" not in self.run(*calls)
        return self.remote.now_ms - before_ms


@pytest.fixture
def guarded() -> Guarded:
    return Guarded()


def test_a_hanging_simulator_costs_one_time_out_for_each_probe_and_not_one_for_each_intent(
    guarded: Guarded,
) -> None:
    guarded.remote.answer = hung
    assert guarded.cost_ms(*[TRANSFER] * 3) == DEADLINE_MS
    assert guarded.cost_ms(*[TRANSFER] * 50) == DEADLINE_MS
    assert len(guarded.remote.asked) == 3 + 1
    for _ in range(2):
        assert [guarded.cost_ms(TRANSFER) for _ in range(50)] == [0] * 50
        guarded.remote.now_ms += LIMITS.open_ms
        assert guarded.cost_ms(*[TRANSFER] * 50) == DEADLINE_MS
    assert len(guarded.remote.asked) == 3 + 1 + 2


def test_an_immediate_refusal_has_the_code_and_the_last_error_of_the_simulator(
    guarded: Guarded,
) -> None:
    guarded.remote.answer = dead
    assert guarded.run(*[TRANSFER] * 3) == ["simulation_failed"] * 3
    [refused] = guarded.simulator.run([TRANSFER], DEADLINE_MS)
    assert isinstance(refused, SimulationFailure)
    assert refused.code == "simulation_failed"
    assert "SIGKILL" in refused.detail


def test_a_simulator_that_recovered_is_used_again(guarded: Guarded) -> None:
    guarded.remote.answer = dead
    guarded.run(*[TRANSFER] * 3)
    guarded.run(TRANSFER)
    guarded.remote.answer = healthy
    guarded.remote.now_ms += LIMITS.open_ms - 1
    assert guarded.run(TRANSFER) == ["simulation_failed"]
    guarded.remote.now_ms += 1
    assert guarded.state() is State.HALF_OPEN
    assert guarded.run(TRANSFER, HOSTILE) == ["succeeded", "simulation_timeout"]
    assert guarded.state() is State.CLOSED


def test_an_agent_with_endless_calls_cannot_deny_the_simulator_to_others(guarded: Guarded) -> None:
    for _ in range(20):
        assert guarded.run(*[HOSTILE] * 10) == ["simulation_timeout"] * 10
        assert guarded.run(TRANSFER) == ["succeeded"]


def test_calls_for_an_unknown_chain_hide_no_failure(guarded: Guarded) -> None:
    guarded.remote.answer = lambda one: hung(one) if one.chain_id == 1 else no_simulator(137)
    for _ in range(3):
        assert guarded.run(TRANSFER, ELSEWHERE) == ["simulation_timeout", "no_simulator"]
    assert guarded.run(ELSEWHERE, TRANSFER) == ["simulation_failed"] * 2


def test_failures_that_are_not_in_a_row_are_not_added_up(guarded: Guarded) -> None:
    for _ in range(10):
        guarded.run(HOSTILE, HOSTILE, TRANSFER)
    assert CONTRACT in {one.to for one in guarded.remote.asked}
    assert {one.account for one in guarded.remote.asked} == {TRANSFER.account}  # never a probe


def test_a_probe_uses_part_of_the_batchs_deadline() -> None:
    given_ms: list[int] = []

    class Slow(Remote):
        def run(self, calls: Sequence[Call], deadline_ms: int) -> list[Answer]:
            given_ms.append(deadline_ms)
            self.now_ms += 300
            return super().run(calls, deadline_ms)

    guarded = Guarded(Slow())
    guarded.run(*[HOSTILE] * 3)
    assert guarded.run(TRANSFER) == ["succeeded"]
    assert given_ms == [DEADLINE_MS, DEADLINE_MS, DEADLINE_MS - 300]
