from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixgate.cli.formats import format_time, format_time_ms
from sixgate.cli.options import parse_duration_ms, parse_time_ms

NOW_MS = 1_790_000_000_123


@pytest.mark.parametrize(
    ("text", "ms"), [("1s", 1_000), ("90m", 5_400_000), ("24h", 86_400_000), ("2d", 172_800_000)]
)
def test_durations(text: str, ms: int) -> None:
    assert parse_duration_ms(text) == ms
    assert parse_time_ms(text, NOW_MS) == NOW_MS - ms


@pytest.mark.parametrize("text", ["", "0d", "-1d", "1w", "1.5h", "d", "\u0661d", "9999999d", "1d "])
def test_an_invalid_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="10m, 24h or 30d"):
        parse_duration_ms(text)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
        ("2026-01-31T12:30:00", "2026-01-31T12:30:00+00:00"),
        ("2026-01-31T12:30:00+02:00", "2026-01-31T10:30:00+00:00"),
        ("2026-01-31T12:30:00Z", "2026-01-31T12:30:00+00:00"),
    ],
)
def test_times_are_utc_by_default(text: str, iso: str) -> None:
    assert parse_time_ms(text, NOW_MS) == datetime.fromisoformat(iso).timestamp() * 1000


@pytest.mark.parametrize("text", ["yesterday", "31.01.2026", "2026-13-01", "\x1b[2J"])
def test_an_invalid_time_is_refused_in_printable_text(text: str) -> None:
    with pytest.raises(ValueError, match="2026-01-31") as caught:
        parse_time_ms(text, NOW_MS)
    assert str(caught.value).isprintable()


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(2999, 1, 1)))  # noqa: DTZ001 - Hypothesis wants naive bounds
def test_a_formatted_time_can_be_parsed(at: datetime) -> None:
    at_ms = int(at.replace(tzinfo=UTC).timestamp()) * 1000
    assert parse_time_ms(format_time(at_ms).replace(" ", "T"), NOW_MS) == at_ms


def test_a_precise_time_shows_milliseconds() -> None:
    assert format_time_ms(86_400_000 + 3_723_045) == "1970-01-02 01:02:03.045Z"
