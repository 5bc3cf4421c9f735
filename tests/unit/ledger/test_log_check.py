"""Rows against the records that they claim to hold."""

from typing import Any

import pytest

from schemas.record import PartitionId, Record
from schemas.topics import Topic
from streams.ledger.errors import LedgerVerificationError
from streams.ledger.log_check import (
    NO_PARTITION,
    NO_RECORD,
    OTHER_RECORD,
    LogPart,
    compared_rows,
)
from streams.ledger.table import Row
from tests.harness.builders.ledger import Pipeline, rows_of

RECORDS = Pipeline().run(3)
ROWS = [Row(*row) for row in rows_of(RECORDS)]
PLACES: set[PartitionId] = {(record.topic, record.partition) for record in RECORDS}
LAST = ROWS[-1].seq


def log(records: list[Record] = RECORDS, first: int = 0, **fields: Any) -> LogPart:
    bounds = dict.fromkeys(PLACES, (first, 3))
    by_place = {((record.topic, record.partition), record.offset): record for record in records}
    return LogPart(**({"bounds": bounds, "read": frozenset(PLACES), "records": by_place} | fields))


def test_rows_that_equal_their_records_are_counted() -> None:
    assert compared_rows(ROWS, log()) == len(ROWS)


def test_rows_of_expired_records_and_of_unread_topics_are_not_counted() -> None:
    assert compared_rows(ROWS, log(first=1)) == len(ROWS) - len(PLACES)
    assert compared_rows(ROWS, log(read=frozenset({(Topic.OUTCOMES, 0)}))) == 3


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"topic": "nowhere"}, NO_PARTITION),
        ({"partition": 1}, NO_PARTITION),
        ({"offset": 3}, NO_RECORD),
        ({"key": "other"}, OTHER_RECORD),
        ({"at_ms": 1}, OTHER_RECORD),
        ({"event_id": "0x" + "0" * 64}, OTHER_RECORD),
        ({"body": b"{}"}, OTHER_RECORD),
    ],
)
def test_a_row_that_is_not_its_record_is_named(change: dict[str, Any], what: str) -> None:
    rows = [*ROWS[:-1], ROWS[-1]._replace(**change)]
    with pytest.raises(LedgerVerificationError) as caught:
        compared_rows(rows, log())
    assert (caught.value.seq, caught.value.what) == (LAST, what)


def test_a_row_is_false_if_its_place_in_the_log_is_a_gap() -> None:
    with pytest.raises(LedgerVerificationError) as caught:
        compared_rows(ROWS, log(RECORDS[:-1]))
    assert (caught.value.seq, caught.value.what) == (LAST, NO_RECORD)


def test_a_row_beyond_the_end_of_an_unread_topic_is_false() -> None:
    rows = [*ROWS[:-1], ROWS[-1]._replace(offset=3)]
    with pytest.raises(LedgerVerificationError) as caught:
        compared_rows(rows, log(read=frozenset()))
    assert caught.value.what == NO_RECORD
