"""Reads signed transactions from their topic and verifies each signature.

A position is the next offset of every partition, joined by dots.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from heapq import merge

from schemas.canonical import MalformedError
from schemas.intents.outcome import AnyOutcome, Signed, decode_outcome
from schemas.record import PartitionId, Record
from schemas.topics import Topic
from signer.core.errors import InvalidSignatureError
from signer.keys.signer_events import verify_signer_event
from sixgate.api import ApiError, Position
from sixgate.backends.kafka.bus import Bus
from sixgate.backends.ports import SignedEvent

FOLLOW_MS = 200
READ_COUNT_MAX = 500


class SignedTopic:
    """Reads signed transactions from a given position."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._partitions = bus.partition_ids(Topic.SIGNED)

    def read(self, after: Position, *, follow: bool) -> Iterator[SignedEvent | None]:
        """Yield signed transactions, and None as a tick while there is nothing to read."""
        positions = self._positions(after)
        with self._bus.reading(positions) as reading:
            for page in reading.to_end():
                yield from self._verified(page, positions)
            while follow:
                page = reading.read(READ_COUNT_MAX, FOLLOW_MS)
                yield from self._verified(page, positions)
                if not page:
                    yield None

    def _positions(self, after: Position) -> dict[PartitionId, int]:
        firsts = self._bus.first_offsets(self._partitions)
        if after == 0:
            return firsts
        offsets = _offsets(after, len(self._partitions))
        target = dict(zip(self._partitions, offsets, strict=True))
        ends = self._bus.end_offsets(self._partitions)
        for partition, offset in target.items():
            if not firsts[partition] <= offset <= ends[partition]:
                raise ApiError(
                    "position_unknown",
                    f"position {after!a} is outside the records that {Topic.SIGNED} still holds: "
                    "start from 0 and skip what you already have",
                )
        return target

    def _verified(
        self, page: Sequence[Record], positions: dict[PartitionId, int]
    ) -> Iterator[SignedEvent]:
        for record in _oldest_first(page):
            positions[(record.topic, record.partition)] = record.offset + 1
            if isinstance(verified_outcome(self._bus, record), Signed):
                joined = ".".join(str(positions[partition]) for partition in self._partitions)
                yield SignedEvent(joined, record.value)


def verified_outcome(bus: Bus, record: Record) -> AnyOutcome | None:
    """Return the outcome in a record if a registered signer signed it, else None.

    A writer of the topic could add forged records. If verification fails, the registry is read
    again once: the signer may have been registered since.
    """
    with suppress(MalformedError):
        outcome = decode_outcome(record.value)
        if _is_verified(bus, outcome):
            return outcome
        bus.refresh()
        if _is_verified(bus, outcome):
            return outcome
    return None


def _is_verified(bus: Bus, outcome: AnyOutcome) -> bool:
    try:
        verify_signer_event(outcome, bus.registry)
    except InvalidSignatureError:
        return False
    return True


def _oldest_first(page: Sequence[Record]) -> Iterator[Record]:
    """Merge partitions by time; the order within each partition stays."""
    partitions = {record.partition: [] for record in page}  # type: dict[int, list[Record]]
    for record in page:
        partitions[record.partition].append(record)
    return merge(*partitions.values(), key=lambda record: record.at_ms)


def _offsets(position: Position, count: int) -> list[int]:
    parts = str(position).split(".")
    if len(parts) != count or not all(part.isdecimal() and part.isascii() for part in parts):
        raise ApiError(
            "position_unknown",
            f"{position!a} is not a position of {Topic.SIGNED}: use 0 or a printed one",
        )
    return [int(part) for part in parts]
