"""Retries of deliveries: exponential back-off with jitter, and when a webhook is disabled."""

DELAY_MS_MIN = 5_000
DELAY_MS_MAX = 12 * 60 * 60 * 1_000
JITTER_SHARE_MAX = 0.25
GIVE_UP_MS = 3 * 24 * 60 * 60 * 1_000
# 5 s doubled this often is over 12 hours; more doublings would only make the number large.
_DOUBLINGS_MAX = 14


def delay_ms(failures: int, jitter: float) -> int:
    """Return the wait after this many failures in a row (1 or more), with a draw from [0, 1).

    It doubles from 5 s to 12 h. The jitter adds up to a quarter, so that webhooks that failed
    together are not retried together.
    """
    base_ms = min(DELAY_MS_MIN << min(failures - 1, _DOUBLINGS_MAX), DELAY_MS_MAX)
    return base_ms + int(base_ms * JITTER_SHARE_MAX * jitter)


def gives_up(failing_since_ms: int, now_ms: int) -> bool:
    """Return whether one event has failed for so long that its webhook is disabled."""
    return now_ms - failing_since_ms >= GIVE_UP_MS
