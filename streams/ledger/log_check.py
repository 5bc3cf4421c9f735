"""Compares rows of the ledger with the records of the log that they claim to hold. Pure.

A row above the newest signed head is vouched for by no signature. Its place in the log says which
record it must hold.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.record import PartitionId, Record
from schemas.topics import TOPICS, Topic
from streams.ledger.chain import Entry
from streams.ledger.entry import entry_of
from streams.ledger.errors import LedgerVerificationError
from streams.ledger.table import Row

NO_PARTITION = "the log has no such partition"
NO_RECORD = "the log holds no record at its offset"
OTHER_RECORD = "its content is not that of its record in the log"

_NAMES = frozenset(topic.value for topic in TOPICS)


@dataclass(frozen=True, slots=True)
class LogPart:
    """What was read of the log: bounds of each partition, and the records of some.

    ``bounds`` has the first offset that the log still holds and the end. A partition that is in
    ``read`` was read from its lowest offset in question on; ``records`` are by place.
    """

    bounds: Mapping[PartitionId, tuple[int, int]]
    read: frozenset[PartitionId] = frozenset()
    records: Mapping[tuple[PartitionId, int], Record] = field(default_factory=dict)


def places_of(rows: Iterable[Row]) -> tuple[dict[PartitionId, int], dict[PartitionId, int]]:
    """Return the lowest offset, and the one after the highest, of each partition that rows name."""
    lowest: dict[PartitionId, int] = {}
    ends: dict[PartitionId, int] = {}
    for row in rows:
        partition = _partition(row)
        if partition is not None:
            lowest[partition] = min(row.offset, lowest.get(partition, row.offset))
            ends[partition] = max(row.offset + 1, ends.get(partition, 0))
    return lowest, ends


def compared_rows(rows: Iterable[Row], log: LogPart) -> int:
    """Return how many rows are equal to their record.

    A row is not counted if its partition was not read, or if its record has expired. Raises
    ``LedgerVerificationError`` for the first row that has another content than its record, or whose
    place in the log holds no record.
    """
    return sum(_is_recorded(row, log) for row in rows)


def _is_recorded(row: Row, log: LogPart) -> bool:
    partition = _partition(row)
    if partition is None or partition not in log.bounds:
        raise LedgerVerificationError(row.seq, NO_PARTITION)
    first, end = log.bounds[partition]
    if row.offset >= end:
        raise LedgerVerificationError(row.seq, NO_RECORD)
    if row.offset < first or partition not in log.read:
        return False
    record = log.records.get((partition, row.offset))
    if record is None:
        raise LedgerVerificationError(row.seq, NO_RECORD)
    if entry_of(record) != Entry(*row[3:]):
        raise LedgerVerificationError(row.seq, OTHER_RECORD)
    return True


def _partition(row: Row) -> PartitionId | None:
    return (Topic(row.topic), row.partition) if row.topic in _NAMES else None
