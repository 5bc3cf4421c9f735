"""Times and durations: parsing and formatting, all in UTC."""

import re
from datetime import UTC, datetime

_SPAN = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_duration_ms(text: str) -> int:
    """Parse ``90s``, ``10m``, ``24h`` or ``30d``; raise ``ValueError`` for anything else."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!a} is not a duration such as 10m, 24h or 30d")
    return int(found[1]) * _UNIT_MS[found[2]]


def parse_time_ms(text: str, now_ms: int) -> int:
    """Parse a time: ``now``, a duration ago, or an ISO 8601 date or time (by default in UTC).

    Raises ``ValueError``.
    """
    if text == "now":
        return now_ms
    if _SPAN.fullmatch(text):
        return max(0, now_ms - parse_duration_ms(text))
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!a} is not a time: write 7d (ago), 2026-01-31 or 2026-01-31T12:00:00+00:00"
        ) from None
    known = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    return max(0, round(known.timestamp() * 1000))


def format_time(at_ms: int) -> str:
    """Format a time to the second."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def format_time_ms(at_ms: int) -> str:
    """Format a time to the millisecond."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"
