"""Evidence for a verification on Kafka: published heads, and the records of new rows."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.ledger.heads import LedgerHead
from schemas.record import PartitionId, Record
from schemas.topics import TOPICS, Principal, Topic
from sixgate.api import ApiError
from sixgate.backends.kafka.bus import Bus
from sixgate.backends.kafka.ledger_lag import LEDGER_TOPICS
from streams.ledger.log_check import LogPart, compared_rows, places_of
from streams.ledger.table import Row

HEADS: PartitionId = (Topic.HEADS, 0)
Opened = Callable[[Envelope], LedgerHead]
# Verifying is a command of operators: they read the content of these topics, of others the ends.
_READABLE = frozenset(
    topic for topic in LEDGER_TOPICS if Principal.OPERATORS in TOPICS[topic].readers
)


def published_heads(
    bus: Bus, first: int, opened: Opened
) -> Iterator[tuple[int, LedgerHead, Envelope]]:
    """Yield offset, head and envelope of the heads that the ledger signed; skip forged ones."""
    for page in bus.pages({HEADS: first}):
        for record in page:
            with suppress(MalformedError, ApiError):
                envelope = Envelope.decode(record.value)
                yield record.offset, opened(envelope), envelope


class KafkaEvidence:
    """Implements ``Evidence`` for one verification."""

    def __init__(self, bus: Bus, opened: Opened, settle: Callable[[], None]) -> None:
        self._bus = bus
        self._opened = opened
        self.settle = settle
        self._heads: list[LedgerHead] = []
        self._next = bus.first_offsets([HEADS])[HEADS]

    def heads(self) -> list[LedgerHead]:
        """Return every head that the ledger published; read those that are new."""
        for offset, head, _ in published_heads(self._bus, self._next, self._opened):
            self._heads.append(head)
            self._next = offset + 1
        return self._heads

    def compare(self, rows: Iterable[Row]) -> int:
        """See ``Evidence.compare``."""
        found = list(rows)
        return compared_rows(found, self._log_part(found)) if found else 0

    def _log_part(self, rows: list[Row]) -> LogPart:
        lowest, _ = places_of(rows)
        known = lowest.keys() & set(self._bus.partition_ids(*LEDGER_TOPICS))
        firsts, ends = self._bus.first_offsets(list(known)), self._bus.end_offsets(list(known))
        bounds = {at: (firsts[at], ends[at]) for at in known}
        starts = {
            at: max(first, min(lowest[at], end))
            for at, (first, end) in bounds.items()
            if at[0] in _READABLE
        }
        return LogPart(bounds, frozenset(starts), self._records(starts))

    def _records(self, starts: dict[PartitionId, int]) -> dict[tuple[PartitionId, int], Record]:
        return {
            ((record.topic, record.partition), record.offset): record
            for page in (self._bus.pages(starts) if starts else ())
            for record in page
        }
