"""Waiting until the ledger holds what was committed when it was asked."""

import time
from collections.abc import Mapping

from schemas.record import PartitionId
from schemas.topics import TOPICS, Principal, Topic
from sixgate.scaled.bus import Bus
from streams.ledger.errors import LedgerUnavailableError
from streams.ledger.table import LedgerTable

POLL_S = 0.05
LEDGER_TOPICS = [topic for topic, spec in TOPICS.items() if spec.in_ledger]
# Behind the last record of a transaction lies its mark; more of them after failed transactions.
MARKS_COUNT_MAX = 100


class LedgerLag:
    """Compares the table with the log's ends; what was looked at is not looked at again."""

    def __init__(self, bus: Bus, table: LedgerTable, late_s_max: float) -> None:
        self._late_s_max = late_s_max
        self._bus = bus
        self._table = table
        self._places = bus.places(*LEDGER_TOPICS)
        self._wanted: dict[PartitionId, tuple[int, int]] = {}

    def settle(self) -> None:
        """Return when all that is committed now is in the table.

        Raises ``LedgerUnavailableError`` if that takes longer than ``late_s_max``.
        """
        wanted = self._positions_wanted()
        until_s = time.monotonic() + self._late_s_max
        while late := _late(self._table.positions(), wanted):
            if time.monotonic() > until_s:
                raise LedgerUnavailableError(
                    f"The ledger is {late} records behind Kafka and does not get level: see that "
                    "sixgate ledger runs."
                )
            time.sleep(POLL_S)

    def _positions_wanted(self) -> dict[PartitionId, int]:
        """Return behind which record of every partition the table must be."""
        ends, held = self._bus.end_offsets(self._places), self._table.positions()
        unseen: dict[PartitionId, int] = {}
        for place, end in ends.items():
            if self._wanted.get(place, (0, 0))[0] == end:
                continue
            position = held.get(place, 0)
            if _has_marks(place[0]) and position < end:
                unseen[place] = max(position, end - MARKS_COUNT_MAX)
            else:
                self._wanted[place] = (end, end)
        for place, last in self._last_records(unseen).items():
            self._wanted[place] = (ends[place], last)
        return {place: wanted for place, (_, wanted) in self._wanted.items()}

    def _last_records(self, starts: Mapping[PartitionId, int]) -> dict[PartitionId, int]:
        """Return the offset behind the last record at or after a start; 0 if there is none."""
        found = dict.fromkeys(starts, 0)
        for page in self._bus.pages(starts) if starts else ():
            for record in page:
                found[(record.topic, record.partition)] = record.offset + 1
        return found


def _has_marks(topic: Topic) -> bool:
    """Tell whether transactions write to a topic; their marks take offsets and are no records."""
    return Principal.SIGNER in TOPICS[topic].writers


def _late(held: Mapping[PartitionId, int], wanted: Mapping[PartitionId, int]) -> int:
    return sum(max(0, offset - held.get(place, 0)) for place, offset in wanted.items())
