"""How far a process may lead an intent at once, where the next gate is its own too.

What one gate writes for the next lies on a topic all the same; whoever leads an intent on at once
knows it again when it is delivered, and has nothing more to do with it. An intent must overtake
nobody: it is led on only past a topic on which nothing waits.

How much is remembered is bounded: where delivery lags far behind, hops are single ones again.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from schemas.partition import partition_for
from schemas.record import Outgoing, PartitionId
from streams.gates.clearance_cache import ClearanceCache
from streams.gates.passage import GateProjections, RuleGate
from streams.gates.stages import Entered, lead

PIPELINED_COUNT_MAX = 65_536
WAITING_COUNT_MAX = 4_096


class Fingerprint(NamedTuple):
    """What a record is known by: where it lies, its key, and the SHA-256 of its bytes."""

    place: PartitionId
    key: str
    digest: bytes


class Sent(NamedTuple):
    """A record for a place, and whether the gate that reads there has judged it already."""

    place: PartitionId
    event: Outgoing
    pipelined: bool

    def fingerprint(self) -> Fingerprint:
        """Return what it is known by once it is delivered."""
        return fingerprint_of(self.place, self.event.key, self.event.value)


def fingerprint_of(place: PartitionId, key: str, value: bytes) -> Fingerprint:
    """Return what a record is known by."""
    return Fingerprint(place, key, sha256(value).digest())


@dataclass(slots=True)
class InFlight:
    """What one process sent to its own gates and was not delivered yet.

    ``all_done`` tells of a place whether whatever lay there before is done with. It is asked until
    that was so once: from then on nobody but this process writes there, until ``clear``.
    """

    all_done: Callable[[PartitionId], bool]
    pipelined_count_max: int = PIPELINED_COUNT_MAX
    waiting_count_max: int = WAITING_COUNT_MAX  # at one place
    _known: set[PartitionId] = field(default_factory=set)
    _left: defaultdict[PartitionId, Counter[Fingerprint]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    _led: Counter[Fingerprint] = field(default_factory=Counter)

    def is_open(self, place: PartitionId) -> bool:
        """Tell whether nothing waits at a place, so that an intent may be led past it.

        None is while too much that was led on is still to be delivered: forgotten, it would be
        judged again at every gate.
        """
        if len(self._led) >= self.pipelined_count_max:
            return False
        if place not in self._known and self.all_done(place):
            self._known.add(place)
        return place in self._known and not self._left[place]

    def sent(self, records: Iterable[Sent]) -> None:
        """Note what is about to be sent to gates."""
        for record in records:
            noted = self._led if record.pipelined else self._left_at(record.place)
            noted[record.fingerprint()] += 1

    def was_pipelined(self, record: Fingerprint) -> bool:
        """Tell of a delivered record whether it was led on, as often as it was sent."""
        return _taken(self._led, record)

    def done(self, record: Fingerprint) -> None:
        """Note that what came of a delivered record was sent."""
        _taken(self._left[record.place], record)

    def clear(self) -> None:
        """Forget everything: other processes may have written, or will."""
        for kept in (self._known, self._left, self._led):
            kept.clear()

    def _left_at(self, place: PartitionId) -> Counter[Fingerprint]:
        """Return what waits at a place; where it is too much, ``all_done`` must tell again."""
        left = self._left[place]
        if len(left) >= self.waiting_count_max:
            self._known.discard(place)
            left.clear()
        return left


def run_batch(
    gate: RuleGate,
    entered: Sequence[Entered],
    view: GateProjections,
    underway: ClearanceCache,
    ahead: InFlight,
) -> list[Sent]:
    """Lead a batch as far as it goes, in order: behind one that waits at a place all others wait.

    Nothing is noted yet: a batch may be judged again before it is sent.
    """
    taken: set[PartitionId] = set()

    def place_of(event: Outgoing) -> PartitionId:
        return event.topic, partition_for(event, view.registry.partitions)

    def is_open(event: Outgoing) -> bool:
        place = place_of(event)
        return place not in taken and ahead.is_open(place)

    led: list[Sent] = []
    for one in entered:
        *passed, last = lead(gate, one, view, underway, is_open)
        led += [Sent(place_of(event), event, pipelined=True) for event in passed]
        led.append(Sent(place_of(last), last, pipelined=False))
        taken.add(place_of(last))
    return led


def _taken(counted: Counter[Fingerprint], record: Fingerprint) -> bool:
    """Count a record once less; tell whether it was counted at all."""
    count = counted.pop(record, 0)
    if count > 1:
        counted[record] = count - 1
    return count > 0
