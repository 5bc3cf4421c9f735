"""When failed deliveries are tried again."""

from hypothesis import given
from hypothesis import strategies as st

from sixgate.webhooks.retries import delay_ms, gives_up

HOUR_MS = 3_600_000
JITTER = st.floats(0, 1, exclude_max=True)


def test_the_wait_doubles_from_five_seconds_to_twelve_hours() -> None:
    waits = [delay_ms(failures, 0) for failures in range(1, 17)]
    assert waits[:4] == [5_000, 10_000, 20_000, 40_000]
    assert waits[-2:] == [12 * HOUR_MS] * 2
    assert sorted(waits) == waits


@given(st.integers(1, 10_000), JITTER)
def test_jitter_adds_at_most_a_quarter(failures: int, jitter: float) -> None:
    least = delay_ms(failures, 0)
    assert least <= delay_ms(failures, jitter) <= least * 5 // 4


def test_a_webhook_is_given_up_after_three_days() -> None:
    assert not gives_up(0, 72 * HOUR_MS - 1)
    assert gives_up(0, 72 * HOUR_MS)
