"""Order and batches in which records enter the chain. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise

from schemas.record import PartitionId, Record
from schemas.topics import TOPICS, Topic
from streams.ledger.errors import LedgerGapError

BATCH_ROWS_MAX = 20_000
BATCH_BYTES_MAX = 32 * 1024 * 1024
# Rows per table partition. A batch across two would not be stored atomically (0001_ledger.sql).
PARTITION_ROWS = 16_777_216


LEDGER_TOPICS = tuple(topic for topic, spec in TOPICS.items() if spec.in_ledger)
_STAGE = {topic: number for number, topic in enumerate(LEDGER_TOPICS)}


def by_partition(records: Iterable[Record]) -> dict[PartitionId, list[Record]]:
    """Group records by topic and partition, each group sorted by offset."""
    groups: dict[PartitionId, list[Record]] = {}
    for record in records:
        groups.setdefault((record.topic, record.partition), []).append(record)
    for group in groups.values():
        group.sort(key=lambda record: record.offset)
    return groups


def advance(
    groups: Mapping[PartitionId, list[Record]],
    positions: Mapping[PartitionId, int],
    earliest: Callable[[Topic, int], int],
) -> dict[PartitionId, int]:
    """Return the positions after the records of ``groups``.

    Offsets may have gaps (transaction markers). A gap is loss if the log starts after its first
    offset. Raises ``LedgerGapError`` for loss, and for offsets that do not increase.
    """
    advanced = dict(positions)
    for at, group in groups.items():
        expected, first = positions.get(at, 0), group[0].offset
        if first > expected:
            refuse_gap(at, expected, earliest(*at))
        offsets = [expected - 1, *(record.offset for record in group)]
        if any(later <= former for former, later in pairwise(offsets)):
            raise LedgerGapError(
                f"The log returned an offset of {at[0]}/{at[1]} below {expected} again: it "
                "is not the log that this ledger was made from."
            )
        advanced[at] = group[-1].offset + 1
    return advanced


def refuse_gap(at: PartitionId, expected: int, earliest: int) -> None:
    """Raise ``LedgerGapError`` if the log starts after the next offset to read.

    The error names the topic as the ledger's rows do, without a Kafka cluster's prefix.
    """
    if earliest > expected:
        raise LedgerGapError(
            f"The log of {at[0]}/{at[1]} begins at offset {earliest} but the ledger has read "
            f"only up to {expected}: records are lost; restore the log or start a new ledger."
        )


def merged(groups: Mapping[PartitionId, list[Record]]) -> list[Record]:
    """Merge groups by time, then stage; the order within each group stays.

    A log's clock may step back, so a record counts as no earlier than its predecessor in the
    partition.
    """
    keyed = []
    for (topic, partition), group in groups.items():
        stage, at_ms = _STAGE[topic], 0
        for record in group:
            at_ms = max(at_ms, record.at_ms)
            keyed.append((at_ms, stage, partition, record.offset, record))
    keyed.sort()  # no two share a place, so records are never compared
    return [item[4] for item in keyed]


def batches(records: Iterable[Record], row: int) -> Iterator[list[Record]]:
    """Cut records into batches of bounded rows and bytes, within one table partition each.

    ``row`` is the number of the first record's row.
    """
    batch: list[Record] = []
    size_bytes = 0
    for number, record in enumerate(records, row):
        size_bytes += len(record.value)
        full = len(batch) == BATCH_ROWS_MAX or size_bytes > BATCH_BYTES_MAX
        if batch and (full or number % PARTITION_ROWS == 0):
            yield batch
            batch, size_bytes = [], len(record.value)
        batch.append(record)
    if batch:
        yield batch
