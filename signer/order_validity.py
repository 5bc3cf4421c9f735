"""From when until when an order may be carried out; pure.

Who carries orders could hold one back, or send it again, until it does harm. So none lives long.
"""

AHEAD_MS_MAX = 300_000
"""How far an operator's clock may be ahead of the signer's: later orders wait for it."""
LIFETIME_MS_MAX = 24 * 60 * 60 * 1000


def validity_problem(requested_at_ms: int, expires_at_ms: int | None, now_ms: int) -> str | None:
    """Return why an order is not to be carried out now; None where its time is right.

    One that names no end of its own ends as late as any.
    """
    if expires_at_ms is None:
        expires_at_ms = requested_at_ms + LIFETIME_MS_MAX
    if why := too_early(requested_at_ms, now_ms):
        return why
    if expires_at_ms - requested_at_ms > LIFETIME_MS_MAX:
        return "the order is for more than 24 hours: give one that expires sooner"
    if now_ms >= expires_at_ms:
        return "the order has expired: give it again if it is still meant"
    return None


def too_early(requested_at_ms: int, now_ms: int) -> str | None:
    """Return why an order is not to be carried out yet; None where its time has come."""
    if requested_at_ms > now_ms + AHEAD_MS_MAX:
        return "the order is from the future: set the clock and give it again"
    return None
