"""Pipelining: a process runs several gates on an intent before its own records are delivered.

Every gate's record is still written to its topic. When a record that was pipelined is delivered,
the process recognises its fingerprint and only acknowledges it. An intent must not overtake
another: it skips a partition only if no record waits there.

Memory is bounded: if delivery lags too far behind, each hop waits for its delivery again.
*Whenever the process ends, all of this is lost, and delivered records are judged again.*
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from schemas.partition import partition_for
from schemas.record import Outgoing, PartitionId
from streams.clearances import ClearanceCache
from streams.gates.passage import GateProjections, RuleGate
from streams.gates.stages import Entered, run_gates

PIPELINED_COUNT_MAX = 65_536
WAITING_COUNT_MAX = 4_096


class Fingerprint(NamedTuple):
    """Identifies a record: its partition, its key, and the SHA-256 of its bytes."""

    partition: PartitionId
    key: str
    digest: bytes


class Sent(NamedTuple):
    """A record for a partition, and whether the gate that reads there already judged it."""

    partition: PartitionId
    event: Outgoing
    pipelined: bool

    def fingerprint(self) -> Fingerprint:
        """Return the fingerprint of the record once it is delivered."""
        return fingerprint_of(self.partition, self.event.key, self.event.value)


def fingerprint_of(partition: PartitionId, key: str, value: bytes) -> Fingerprint:
    """Return the fingerprint of a record."""
    return Fingerprint(partition, key, sha256(value).digest())


@dataclass(slots=True)
class InFlight:
    """The records that one process sent to its own gates and that were not delivered yet.

    ``is_drained`` returns whether every record of a partition is acknowledged. Once it was true,
    only this process writes there, until a rebalance (``clear``); so it is called again only if too
    many records waited there and were forgotten.
    """

    is_drained: Callable[[PartitionId], bool]
    pipelined_count_max: int = PIPELINED_COUNT_MAX
    waiting_count_max: int = WAITING_COUNT_MAX  # per partition
    _drained: set[PartitionId] = field(default_factory=set)
    _waiting: defaultdict[PartitionId, Counter[Fingerprint]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    _pipelined: Counter[Fingerprint] = field(default_factory=Counter)

    def is_open(self, partition: PartitionId) -> bool:
        """Return whether no record waits in a partition, so that an intent may skip it.

        False while too many pipelined records are undelivered: one that is forgotten would be
        judged again at every gate.
        """
        if len(self._pipelined) >= self.pipelined_count_max:
            return False
        if partition not in self._drained and self.is_drained(partition):
            self._drained.add(partition)
        return partition in self._drained and not self._waiting[partition]

    def note_sending(self, records: Iterable[Sent]) -> None:
        """Count records that are about to be sent to gates."""
        for record in records:
            noted = self._pipelined if record.pipelined else self._waiting_at(record.partition)
            noted[record.fingerprint()] += 1

    def was_pipelined(self, record: Fingerprint) -> bool:
        """Return whether a delivered record was pipelined; True once for each time it was sent."""
        return _discount(self._pipelined, record)

    def note_answered(self, record: Fingerprint) -> None:
        """Note that the results of a delivered record are sent."""
        _discount(self._waiting[record.partition], record)

    def clear(self) -> None:
        """Forget everything after a rebalance: other processes may write to these partitions."""
        for counted in (self._drained, self._waiting, self._pipelined):
            counted.clear()

    def _waiting_at(self, partition: PartitionId) -> Counter[Fingerprint]:
        """Return what waits in a partition; if it is too much, forget it and drain again."""
        waiting = self._waiting[partition]
        if len(waiting) >= self.waiting_count_max:
            self._drained.discard(partition)
            waiting.clear()
        return waiting


def run_batch(
    gate: RuleGate,
    entered: Sequence[Entered],
    view: GateProjections,
    cache: ClearanceCache,
    in_flight: InFlight,
) -> list[Sent]:
    """Run a gate and, where possible, the following ones on a batch, in order.

    Once an intent of the batch waits in a partition, later ones wait behind it. Counts no record in
    ``in_flight``, as the batch may be judged again before it is sent; only the caller does
    (``note_sending``).
    """
    occupied: set[PartitionId] = set()

    def partition_of_event(event: Outgoing) -> PartitionId:
        return event.topic, partition_for(event, view.registry.partitions)

    def is_open(event: Outgoing) -> bool:
        partition = partition_of_event(event)
        return partition not in occupied and in_flight.is_open(partition)

    results: list[Sent] = []
    for one in entered:
        *passed, last = run_gates(gate, one, view, cache, is_open)
        results += [Sent(partition_of_event(event), event, pipelined=True) for event in passed]
        results.append(Sent(partition_of_event(last), last, pipelined=False))
        occupied.add(partition_of_event(last))
    return results


def _discount(counted: Counter[Fingerprint], record: Fingerprint) -> bool:
    """Decrement the count of a record; return whether it was counted."""
    count = counted.pop(record, 0)
    if count > 1:
        counted[record] = count - 1
    return count > 0
