"""A clock that jumps stops everything; one that is merely adjusted does not."""

import pytest

from streams.runners.clock import (
    BACKWARD_MS_MAX,
    DISAGREEMENT_MS_MAX,
    ClockError,
    SteadyClock,
)
from tests.harness.pipeline.embedded import ManualTime


@pytest.fixture
def time() -> ManualTime:
    return ManualTime(wall=1_000_000_000)


@pytest.fixture
def clock(time: ManualTime) -> SteadyClock:
    return time.clock()


def test_time_passes(clock: SteadyClock, time: ManualTime) -> None:
    before = clock.now_ms()
    time.forward(86_400_000)
    assert clock.now_ms() == before + 86_400_000


def test_a_small_step_back_is_held_at_the_last_time(clock: SteadyClock, time: ManualTime) -> None:
    before = clock.now_ms()
    time.wall -= BACKWARD_MS_MAX
    assert clock.now_ms() == before


def test_a_larger_step_back_halts(clock: SteadyClock, time: ManualTime) -> None:
    clock.now_ms()
    time.wall -= BACKWARD_MS_MAX + 1
    with pytest.raises(ClockError, match="1001 ms behind"):
        clock.now_ms()


@pytest.mark.parametrize("sign", [1, -1])
def test_disagreement_with_time_since_boot_halts(
    clock: SteadyClock, time: ManualTime, sign: int
) -> None:
    time.wall += sign * DISAGREEMENT_MS_MAX
    if sign > 0:
        assert clock.now_ms() == time.wall
    time.wall += sign
    with pytest.raises(ClockError):
        clock.now_ms()


def drift(clock: SteadyClock, time: ManualTime, seconds: int) -> None:
    for _ in range(seconds):
        time.forward(1_000)
        time.wall += 1
        clock.now_ms()


def test_slow_drift_adds_up_until_it_halts(clock: SteadyClock, time: ManualTime) -> None:
    drift(clock, time, DISAGREEMENT_MS_MAX)
    with pytest.raises(ClockError, match="jumped"):
        drift(clock, time, 1)


def test_a_clock_behind_the_state_of_an_earlier_boot_halts(
    clock: SteadyClock, time: ManualTime
) -> None:
    clock.last_ms = time.wall + BACKWARD_MS_MAX + 1
    with pytest.raises(ClockError, match="1001 ms behind"):
        clock.now_ms()
