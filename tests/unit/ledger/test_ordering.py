"""Order of records, bounds of batches, and detection of lost records."""

import pytest

from schemas.record import PartitionId, Record
from schemas.topics import TOPICS, Topic
from streams.ledger import ordering
from streams.ledger.errors import LedgerGapError
from streams.ledger.ordering import (
    BATCH_BYTES_MAX,
    LEDGER_TOPICS,
    PARTITION_ROWS,
    advance,
    batches,
    by_partition,
    merged,
    refuse_gap,
)

OUT: PartitionId = (Topic.OUTCOMES, 0)


def record(offset: int, at_ms: int = 0, place: PartitionId = OUT, size: int = 1) -> Record:
    return Record(place[0], place[1], offset, "a", b"x" * size, at_ms)


def from_start(_topic: Topic, _partition: int) -> int:
    return 0


def test_all_topics_except_state_and_heads_are_in_the_ledger() -> None:
    assert set(TOPICS) - set(LEDGER_TOPICS) == {Topic.STATE, Topic.HEADS, Topic.REGISTRY_HEADS}


def test_records_come_by_time_then_stage() -> None:
    late, early = record(0, 5), record(0, 1, (Topic.AUDIT, 0))
    same_time = record(0, 5, (Topic.SUBMITTED, 0))
    assert merged(by_partition([late, early, same_time])) == [early, same_time, late]


def test_a_clock_that_steps_back_does_not_reorder_a_partition() -> None:
    backward = [record(0, 100), record(1, 50), record(2, 75)]
    assert merged(by_partition(reversed(backward))) == backward


def test_gaps_of_transaction_markers_are_accepted() -> None:
    groups = by_partition([record(3), record(5)])
    assert advance(groups, {OUT: 1}, from_start) == {OUT: 6}


def test_a_gap_at_the_start_of_the_log_is_loss() -> None:
    with pytest.raises(LedgerGapError, match=r"outcomes/0 .*\b3\b.*\b1\b"):
        advance(by_partition([record(3)]), {OUT: 1}, lambda _topic, _partition: 3)


def test_a_new_partition_must_be_there_from_its_first_record() -> None:
    with pytest.raises(LedgerGapError):
        advance(by_partition([record(3)]), {}, lambda _topic, _partition: 3)


@pytest.mark.parametrize("offsets", [[0], [1, 1], [4, 2, 2]])
def test_an_offset_that_repeats_is_refused(offsets: list[int]) -> None:
    groups = by_partition(record(offset) for offset in offsets)
    with pytest.raises(LedgerGapError, match=r"outcomes/0 below 1|not the log"):
        advance(groups, {OUT: 1}, from_start)


def test_positions_of_silent_partitions_stay() -> None:
    other = (Topic.AUDIT, 2)
    assert advance(by_partition([record(0)]), {other: 9}, from_start) == {other: 9, OUT: 1}


def test_a_log_that_holds_the_next_offset_has_no_gap() -> None:
    refuse_gap(OUT, 5, 5)
    with pytest.raises(LedgerGapError):
        refuse_gap(OUT, 5, 6)


def test_a_batch_never_spans_two_table_partitions() -> None:
    records = [record(offset) for offset in range(6)]
    cut = list(batches(records, PARTITION_ROWS - 2))
    assert [len(batch) for batch in cut] == [2, 4]


def test_a_batch_that_starts_a_table_partition_is_not_empty_before_it() -> None:
    assert [len(b) for b in batches([record(0)] * 3, PARTITION_ROWS)] == [3]


def test_batches_are_bounded_in_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "BATCH_ROWS_MAX", 4)
    assert [len(batch) for batch in batches([record(n) for n in range(9)], 0)] == [4, 4, 1]


def test_batches_are_bounded_in_bytes() -> None:
    half = record(0, size=BATCH_BYTES_MAX // 2)
    assert [len(batch) for batch in batches([half] * 3, 0)] == [2, 1]


def test_a_record_larger_than_a_batch_goes_alone() -> None:
    huge = record(0, size=BATCH_BYTES_MAX + 1)
    assert [len(batch) for batch in batches([record(0), huge, record(1)], 0)] == [1, 1, 1]
