"""Order validity: the period in which an order may be executed. Pure.

A broker could delay or replay an order until executing it does harm, so every order expires soon.
"""

AHEAD_MS_MAX = 300_000
"""Largest lead of an admin's clock over the signer's; an order beyond it is refused."""
LIFETIME_MS_MAX = 24 * 60 * 60 * 1000


def validity_problem(requested_at_ms: int, expires_at_ms: int | None, now_ms: int) -> str | None:
    """Return why an order is not valid at ``now_ms``, or None.

    An order without ``expires_at_ms`` expires after ``LIFETIME_MS_MAX``.
    """
    if expires_at_ms is None:
        expires_at_ms = requested_at_ms + LIFETIME_MS_MAX
    if why := too_early(requested_at_ms, now_ms):
        return why
    if expires_at_ms - requested_at_ms > LIFETIME_MS_MAX:
        return "the order is valid for more than 24 hours: sign one that expires sooner"
    if now_ms >= expires_at_ms:
        return "the order has expired: sign a new one if it is still needed"
    return None


def too_early(requested_at_ms: int, now_ms: int) -> str | None:
    """Return why an order is not valid yet, or None."""
    if requested_at_ms > now_ms + AHEAD_MS_MAX:
        return "the order is from the future: correct the clock and sign a new one"
    return None
