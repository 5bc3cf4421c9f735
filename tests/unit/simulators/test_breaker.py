"""The circuit breaker against a model that uses the whole history of a simulator."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from streams.simulators.breaker import Breaker, BreakerLimits, State

steps = st.sampled_from([0, 1, 9, 10, 11]) | st.integers(0, 100)
events = st.lists(st.tuples(st.sampled_from(["call", "probe"]), st.booleans(), steps), max_size=60)


@dataclass
class History:
    """All events: calls and probes, whether they failed, and when."""

    limits: BreakerLimits
    happened: list[tuple[str, bool, int]] = field(default_factory=list)

    def state(self, now_ms: int) -> State:
        since = list(self.happened)
        while any(not failed for _, failed, _ in since):
            since.pop(0)
        probes = [at_ms for asked, _, at_ms in since if asked == "probe"]
        if len(since) - len(probes) < self.limits.failed_count_max:
            return State.CLOSED
        if probes and now_ms < probes[-1] + self.limits.open_ms:
            return State.OPEN
        return State.HALF_OPEN


@given(st.builds(BreakerLimits, st.integers(1, 6), st.integers(1, 20)), events)
def test_the_breakers_state_follows_from_its_history(
    limits: BreakerLimits, wanted: list[tuple[str, bool, int]]
) -> None:
    breaker, history, now_ms = Breaker(limits), History(limits), 0
    for asked, failed, step_ms in wanted:
        now_ms += step_ms
        if asked == "call":
            breaker = breaker.called(failed=failed)
        elif history.state(now_ms) is State.HALF_OPEN:
            breaker = breaker.probed(now_ms, failed=failed)
        else:
            continue
        history.happened.append((asked, failed, now_ms))
        leaving = now_ms + limits.open_ms
        for at_ms in (now_ms, leaving - 1, leaving, leaving + 1):
            assert breaker.state(at_ms) is history.state(at_ms)


def test_calls_alone_never_open_it() -> None:
    breaker = Breaker()
    for n in range(100):
        breaker = breaker.called(failed=True)
        assert breaker.state(n * 1_000) is not State.OPEN
