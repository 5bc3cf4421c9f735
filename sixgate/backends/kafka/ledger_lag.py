"""Ledger lag: waits until the ledger holds everything committed before the question."""

import threading
import time
from collections.abc import Mapping, Sequence

from schemas.record import PartitionId
from schemas.topics import TOPICS, Principal, Topic
from sixgate.backends.kafka.bus import Bus
from streams.ledger.errors import LedgerUnavailableError
from streams.ledger.table import LedgerTable

POLL_S = 0.05
LEDGER_TOPICS = [topic for topic, spec in TOPICS.items() if spec.in_ledger]
# A transaction ends with a marker, which has an offset but is no record; failed ones add markers.
MARKERS_COUNT_MAX = 100


class LedgerLag:
    """Compares the ledger's positions with the ends of the topics; caches ends it has examined."""

    def __init__(
        self, bus: Bus, table: LedgerTable, late_s_max: float, topics: Sequence[Topic]
    ) -> None:
        self._late_s_max = late_s_max
        self._bus = bus
        self._table = table
        self._partitions = bus.partition_ids(*topics)
        self._lock = threading.Lock()
        self._targets: dict[PartitionId, tuple[int, int]] = {}

    def settle(self) -> None:
        """Wait until the table holds everything that is committed now on the topics.

        Raises ``LedgerUnavailableError`` after ``late_s_max``.
        """
        with self._lock:
            targets = self._target_positions()
        until_s = time.monotonic() + self._late_s_max
        while lag := _lag(self._table.positions(), targets):
            if time.monotonic() > until_s:
                raise LedgerUnavailableError(
                    f"The ledger is {lag} records behind Kafka and does not catch up: check that "
                    "sixgate ledger run is running."
                )
            time.sleep(POLL_S)

    def _target_positions(self) -> dict[PartitionId, int]:
        """Return the position that the table must reach in every partition."""
        ends, held = self._bus.end_offsets(self._partitions), self._table.positions()
        unexamined: dict[PartitionId, int] = {}
        for partition, end in ends.items():
            if self._targets.get(partition, (0, 0))[0] == end:
                continue
            position = held.get(partition, 0)
            if _has_markers(partition[0]) and position < end:
                # The table never reaches an end that is a marker: find the last record before it.
                unexamined[partition] = max(position, end - MARKERS_COUNT_MAX)
            else:
                self._targets[partition] = (end, end)
        for partition, last in self._last_records(unexamined).items():
            self._targets[partition] = (ends[partition], last)
        return {partition: targets for partition, (_, targets) in self._targets.items()}

    def _last_records(self, starts: Mapping[PartitionId, int]) -> dict[PartitionId, int]:
        """Return the offset after the last record at or after a start; 0 without such a record."""
        found = dict.fromkeys(starts, 0)
        for page in self._bus.pages(starts) if starts else ():
            for record in page:
                found[(record.topic, record.partition)] = record.offset + 1
        return found


def _has_markers(topic: Topic) -> bool:
    """Return whether a topic is written in transactions, so that markers take offsets on it."""
    return Principal.SIGNER in TOPICS[topic].writers


def _lag(held: Mapping[PartitionId, int], targets: Mapping[PartitionId, int]) -> int:
    return sum(max(0, end - held.get(partition, 0)) for partition, end in targets.items())
