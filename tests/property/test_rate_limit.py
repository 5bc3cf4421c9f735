"""The rate limit against a model that counts tokens with fractions."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sixgate.api.rate_limit import RateLimit, retry_after_s
from sixgate.config.limits import Rate

RATES = st.builds(Rate, per_minute=st.integers(1, 200_000), burst=st.integers(1, 20))
STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 90_000)), min_size=1, max_size=60)


class TokenBucket:
    """One bucket that begins full."""

    def __init__(self, rate: Rate) -> None:
        self.per_ms = Fraction(rate.per_minute, 60_000)
        self.burst = self.tokens = Fraction(rate.burst)
        self.at_ms = 0

    def take(self, now_ms: int) -> bool:
        self.tokens = min(self.burst, self.tokens + (now_ms - self.at_ms) * self.per_ms)
        self.at_ms = now_ms
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def wait_ms(self) -> int:
        """Return the smallest number of milliseconds after which there is a token."""
        missing = (1 - self.tokens) / self.per_ms
        return -(-missing.numerator // missing.denominator)


@given(rate=RATES, steps=STEPS)
def test_the_limit_equals_one_token_bucket_per_key(
    rate: Rate, steps: list[tuple[str, int]]
) -> None:
    limit = RateLimit(rate)
    model = {key: TokenBucket(rate) for key in "abc"}
    now_ms = 0
    for key, step_ms in steps:
        now_ms += step_ms
        wait_ms = limit.take(key, now_ms)
        assert (wait_ms == 0) == model[key].take(now_ms)
        if wait_ms:
            assert wait_ms == model[key].wait_ms()


@given(rate=RATES, steps=STEPS)
def test_waiting_as_long_as_the_reply_says_is_enough_and_less_is_not(
    rate: Rate, steps: list[tuple[str, int]]
) -> None:
    limit = RateLimit(rate)
    now_ms = 0
    for key, step_ms in steps:
        now_ms += step_ms
        if wait_ms := limit.take(key, now_ms):
            assert limit.take(key, now_ms + wait_ms - 1)
            now_ms += wait_ms
            assert not limit.take(key, now_ms)


@given(keys=st.lists(st.integers(0, 50), max_size=200), key_count_max=st.integers(1, 20))
def test_the_memory_is_bounded_and_forgets_the_least_recently_used(
    keys: list[int], key_count_max: int
) -> None:
    limit = RateLimit(Rate(per_minute=1, burst=1), key_count_max=key_count_max)
    used: list[int] = []
    for key in keys:
        refused = limit.take(str(key), 0) > 0
        assert refused == (key in used[-key_count_max:])
        used = [*(other for other in used if other != key), key]
        assert len(limit) <= key_count_max


@given(st.integers(1, 10**9))
def test_retry_after_is_the_wait_in_whole_seconds_rounded_up(wait_ms: int) -> None:
    after_s = retry_after_s(wait_ms)
    assert after_s * 1_000 >= wait_ms > (after_s - 1) * 1_000
