"""Signed transactions as their topic holds them, proven before they are told.

A topic has partitions, and no number says how far somebody has read them all. A position here is
the next offset of every partition, joined by dots.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from heapq import merge

import orjson

from schemas.canonical import MalformedError
from schemas.outcome import AnyOutcome, Signed, decode_outcome
from schemas.record import PartitionId, Record
from schemas.topics import Topic
from signer.signatures import InvalidSignatureError
from signer.signer_events import verify_signer_event
from sixgate.api import ApiError, Json, Position
from sixgate.scaled.bus import Bus

FOLLOW_MS = 200
READ_COUNT_MAX = 500


class SignedTopic:
    """Reads signed transactions from a position on."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._places = bus.places(Topic.SIGNED)

    def read(self, after: Position, *, follow: bool) -> Iterator[Json | None]:
        """Yield ``{position, event}``, and None whenever there was nothing for a moment."""
        positions = self._positions(after)
        with self._bus.reading(positions) as reading:
            for page in reading.to_end():
                yield from self._told(page, positions)
            while follow:
                page = reading.read(READ_COUNT_MAX, FOLLOW_MS)
                yield from self._told(page, positions)
                if not page:
                    yield None

    def _positions(self, after: Position) -> dict[PartitionId, int]:
        firsts = self._bus.first_offsets(self._places)
        if after == 0:
            return firsts
        said = _offsets(after, len(self._places))
        wanted = dict(zip(self._places, said, strict=True))
        ends = self._bus.end_offsets(self._places)
        for place, offset in wanted.items():
            if not firsts[place] <= offset <= ends[place]:
                raise ApiError(
                    "position_unknown",
                    f"{after!a} is not within what {Topic.SIGNED} holds: begin with 0, and leave "
                    "out what you have",
                )
        return wanted

    def _told(self, page: Sequence[Record], positions: dict[PartitionId, int]) -> Iterator[Json]:
        for record in _oldest_first(page):
            positions[(record.topic, record.partition)] = record.offset + 1
            if isinstance(proven(self._bus, record), Signed):
                joined = ".".join(str(positions[place]) for place in self._places)
                yield {"position": joined, "event": orjson.loads(record.value)}


def proven(bus: Bus, record: Record) -> AnyOutcome | None:
    """Return the outcome in a record if a signer of the organisation made it, else None.

    Whoever may write to the topic could add to it. A signer that was registered since the registry
    was last read is looked for there.
    """
    with suppress(MalformedError):
        outcome = decode_outcome(record.value)
        if _verified(bus, outcome):
            return outcome
        bus.refresh()
        if _verified(bus, outcome):
            return outcome
    return None


def _verified(bus: Bus, outcome: AnyOutcome) -> bool:
    try:
        with bus.cached() as world:
            verify_signer_event(outcome, world.registry)
    except InvalidSignatureError:
        return False
    return True


def _oldest_first(page: Sequence[Record]) -> Iterator[Record]:
    """Order partitions by time beside each other, and leave each in its own order."""
    partitions = {record.partition: [] for record in page}  # type: dict[int, list[Record]]
    for record in page:
        partitions[record.partition].append(record)
    return merge(*partitions.values(), key=lambda record: record.at_ms)


def _offsets(position: Position, count: int) -> list[int]:
    parts = str(position).split(".")
    if len(parts) != count or not all(part.isdecimal() and part.isascii() for part in parts):
        raise ApiError("position_unknown", f"{position!a} is no position of {Topic.SIGNED}")
    return [int(part) for part in parts]
