"""Rate limit: one token bucket per key, in bounded memory. Pure; time is an input."""

from collections import OrderedDict

from sixgate.config.limits import Rate

KEY_COUNT_MAX = 65_536
_MINUTE_MS = 60_000


class RateLimit:
    """Limits the rate of each key, such as a client address or a principal.

    Of a bucket only the time is stored at which it is full again. Beyond ``key_count_max`` keys the
    one that was used least recently is forgotten, and starts with a full bucket.
    """

    def __init__(self, rate: Rate, *, key_count_max: int = KEY_COUNT_MAX) -> None:
        self._per_minute = rate.per_minute
        self._capacity = rate.burst * _MINUTE_MS
        self._key_count_max = key_count_max
        self._full_at: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of remembered keys."""
        return len(self._full_at)

    def take(self, key: str, now_ms: int) -> int:
        """Take one token; return 0, or the milliseconds until the next token if there is none.

        ``now_ms`` comes from a monotonic clock.
        """
        # One unit of time is 1 / per_minute ms, so that a token is a whole number of them.
        now = now_ms * self._per_minute
        full_at = max(self._full_at.get(key, now), now)
        missing = full_at + _MINUTE_MS - now - self._capacity
        if missing > 0:
            self._full_at.move_to_end(key)
            return -(-missing // self._per_minute)
        self._full_at[key] = full_at + _MINUTE_MS
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._key_count_max:
            self._full_at.popitem(last=False)
        return 0


def retry_after_s(wait_ms: int) -> int:
    """Return a wait as whole seconds for ``Retry-After``, rounded up."""
    return max(1, -(-wait_ms // 1000))
