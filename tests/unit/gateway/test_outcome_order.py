"""Every offset of every partition gets one number, once and for good."""

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sixgate.gateway.database import Database
from sixgate.gateway.outcome_order import OutcomeOrder

PARTITIONS = 3
polls = st.lists(
    st.tuples(
        st.sampled_from(["one", "two"]),
        st.lists(st.integers(0, 3), min_size=PARTITIONS, max_size=PARTITIONS),
        st.booleans(),
    ),
    max_size=12,
)


def numbers(order: OutcomeOrder) -> dict[int, tuple[int, int]]:
    """Return the partition and offset of each number, as a webhook meets them."""
    found: dict[int, tuple[int, int]] = {}
    after = 0
    while run := order.run_after(after):
        for number in range(max(run.first, after + 1), run.next):
            found[number] = (run.partition, run.offset_of(number))
            assert run.number_of(run.offset_of(number)) == number
        after = run.next - 1
    return found


@given(polls)
def test_numbers_are_dense_unique_and_never_change(
    polls: list[tuple[str, list[int], bool]],
) -> None:
    ends = {"one": [0] * PARTITIONS, "two": [0] * PARTITIONS}
    seen: dict[str, dict[int, tuple[int, int]]] = {"one": {}, "two": {}}
    with TemporaryDirectory() as folder:
        database = Database(Path(folder) / "gateway.db")
        for log, grown, is_restarted in polls:
            if is_restarted:
                database.close()
                database = Database(Path(folder) / "gateway.db")
            order = OutcomeOrder(database, log)  # the gateway may be moved to another log
            ends[log] = [end + more for end, more in zip(ends[log], grown, strict=True)]
            order.extend(dict(enumerate(ends[log])))
            found = numbers(order)
            assert seen[log].items() <= found.items()
            expected = {(p, offset) for p, end in enumerate(ends[log]) for offset in range(end)}
            assert set(found.values()) == expected
            assert len(found) == len(expected)
            seen[log] = found
            every = seen["one"].keys() | seen["two"].keys()
            assert every == set(range(1, order.last() + 1))
            assert not seen["one"].keys() & seen["two"].keys()
        database.close()


@pytest.mark.parametrize("backed_up", [0, 2])
def test_lost_numbers_are_not_given_to_other_outcomes(tmp_path: Path, backed_up: int) -> None:
    with closing(Database(tmp_path / "backup.db")) as backup:
        OutcomeOrder(backup, "log").extend({0: backed_up})
        # The newer file gave the numbers up to 7, and is lost.
        order = OutcomeOrder(backup, "log", 7)
        kept = numbers(order)
        order.extend({0: 9})
        new = numbers(order)
    assert kept.items() <= new.items()
    assert all(number > 7 for number in new.keys() - kept.keys())
    assert {offset for _, offset in new.values()} == set(range(9))
