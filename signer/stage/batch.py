"""Batch assembly: what one batch reads, in which order it is applied, and where reading continues.

Both runners assemble here. They differ only in how they turn records of intents into clearances:
from the topic of the last gate, or by running the gates.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from schemas.ledger.heads import RegistryHead
from schemas.record import Outgoing, PartitionId, Record
from signer.stage.slot import Commit, Slot
from signer.stage.stage import Arrival


class ReadRecords(NamedTuple):
    """The records of one batch. Each field may depend on the fields before it."""

    registry: Sequence[Record]
    requests: Sequence[Record]
    intents: Sequence[Record]


class Intents(NamedTuple):
    """The clearances that a batch decides, and events about records that it does not decide."""

    arrivals: Sequence[Arrival]
    events: Sequence[Outgoing]


ReadIntents: TypeAlias = Callable[[Sequence[Record], int], Intents]
"""Turns records of intents into clearances at a time in ms, under the batch's registry and keys."""


def pin_batch(
    slot: Slot, read: ReadRecords, read_intents: ReadIntents, head: RegistryHead | None = None
) -> Commit:
    """Decide records that were read after ``head``, as ``Slot.pin`` does; raises what it raises."""
    now_ms = slot.now_ms()
    # The registry first, then orders, then intents: each may depend on the ones before.
    trail = slot.administer(read.registry, read.requests, now_ms, head)
    intents = read_intents(read.intents, now_ms)
    # Refused records count as read too, or a restart would read and audit them again.
    positions = next_positions([*read.registry, *read.requests, *read.intents])
    return slot.pin(intents.arrivals, [*trail, *intents.events], now_ms, positions)


def position_name(partition: PartitionId) -> str:
    """Return the name of a partition among a slot's positions."""
    return f"{partition[0]}/{partition[1]}"


def next_positions(records: Iterable[Record]) -> dict[str, int]:
    """Return, for every partition, the offset after its last record in ``records``."""
    return {position_name((r.topic, r.partition)): r.offset + 1 for r in records}
