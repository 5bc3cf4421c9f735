"""Intake of new intents: rate, bytes and disk, against a list of everything that was submitted."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.core.window import DAY_MS, MINUTE_MS
from sixgate.api_error import ApiError
from sixgate.config.intake import MIB, IntakeSettings
from sixgate.intents.intake import NO_REFUSALS, Intake, disk_problem
from tests.harness.builders.disks import Disk

GIB = 1024 * MIB
NOW_MS = 1_790_000_000_000


def intake(disk: Disk | None = None, **settings: int) -> Intake:
    return Intake(IntakeSettings(**settings), lambda: disk or Disk())


steps = st.lists(st.tuples(st.integers(0, 40_000), st.integers(1, 400)), max_size=40)


@given(steps, st.integers(1, 5), st.integers(100, 1_000))
def test_an_agent_never_gets_more_than_its_intents_a_minute_and_bytes_a_day(
    steps: list[tuple[int, int]], intents_max: int, bytes_max: int
) -> None:
    taken, at_ms = intake(agent_bytes_per_day_max=bytes_max), NOW_MS
    admitted: list[tuple[int, int]] = []
    for pause_ms, size in steps:
        at_ms += pause_ms
        minute = sum(1 for then, _ in admitted if then >= at_ms - MINUTE_MS)
        day = sum(one for then, one in admitted if then >= at_ms - DAY_MS)
        over = taken.admit("bot", intents_max, b"x" * size, at_ms)
        allowed = minute < intents_max and day + size <= bytes_max
        assert (over is None) is allowed
        if over is None:
            admitted.append((at_ms, size))
        elif over.code == "rate_exceeded":
            assert intake_admits_after(admitted, intents_max, at_ms, over.wait_ms)


def intake_admits_after(
    admitted: list[tuple[int, int]], intents_max: int, at_ms: int, wait_ms: int
) -> bool:
    """Return whether ``wait_ms`` is the shortest wait after which the rate has room."""

    def used(now_ms: int) -> int:
        return sum(1 for then, _ in admitted if then >= now_ms - MINUTE_MS)

    return used(at_ms + wait_ms) < intents_max <= used(at_ms + wait_ms - 1)


def test_one_agents_refusals_leave_the_others_alone() -> None:
    taken = intake()
    assert taken.admit("a", 1, b"", NOW_MS) is None
    assert taken.admit("a", 1, b"", NOW_MS) is not None
    assert taken.admit("b", 1, b"", NOW_MS) is None
    assert taken.admit("a", None, b"", NOW_MS) is None


def test_a_thousand_refusals_leave_one_count_with_a_digest_over_all_of_them() -> None:
    taken, bodies = intake(), [b"%d" % number * 1_000 for number in range(1_001)]
    for body in bodies:
        taken.admit("bot", 1, body, NOW_MS)
    assert taken.ended(NOW_MS) == []
    (count,) = taken.ended(NOW_MS + MINUTE_MS)
    digest = bytes.fromhex(NO_REFUSALS[2:])
    for body in bodies[1:]:
        digest = hashlib.sha256(digest + hashlib.sha256(body).digest()).digest()
    assert (count.agent, count.count, count.digest) == ("bot", 1_000, f"0x{digest.hex()}")
    assert count.minute_ms == NOW_MS - NOW_MS % MINUTE_MS
    assert taken.ended() == []


def test_every_minute_has_its_own_count() -> None:
    taken = intake()
    for minute in range(3):
        at_ms = NOW_MS + minute * MINUTE_MS
        for _ in range(minute + 1):
            taken.admit("bot", 0, b"", at_ms)
    assert [one.count for one in taken.ended()] == [1, 2, 3]


@pytest.mark.parametrize(
    ("disk", "is_low"),
    [
        (Disk(10 * GIB, GIB), False),
        (Disk(10 * GIB, GIB - 1), True),
        (Disk(100 * GIB, 5 * GIB), False),
        (Disk(100 * GIB, 5 * GIB - 1), True),
        (Disk(GIB, 0), True),
    ],
)
def test_new_work_waits_below_1_gib_or_5_percent_of_free_disk(disk: Disk, is_low: bool) -> None:  # noqa: FBT001
    assert (disk_problem(disk, IntakeSettings()) is not None) is is_low
    taken = intake(disk)
    if not is_low:
        taken.check_disk()
        return
    with pytest.raises(ApiError, match="free") as checked:
        taken.check_disk()
    with pytest.raises(ApiError, match="free") as admitted:
        taken.admit("bot", None, b"", NOW_MS)
    assert checked.value.code == admitted.value.code == "disk_low"
