"""A slot's inputs on Kafka: topics opened at the positions of its state, and their clearances."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from schemas.partition import SlotPartitions
from schemas.record import REGISTRY_PARTITION, Outgoing, PartitionId, Record
from schemas.topics import Topic
from signer.stage.batch import Intents, position_name
from signer.stage.slot import Slot
from signer.stage.stage import Arrival
from streams.clearances import ClearanceError, receive
from streams.kafka.broker import FETCH_WAIT_MS, Broker
from streams.kafka.reader import QUIET_WAIT_MS, Reader

AdmittedMs: TypeAlias = Mapping[str, int]
NewestSequences: TypeAlias = Callable[[Sequence[str]], Mapping[str, int]]


class Inputs(NamedTuple):
    """The readers of a slot: intents that passed all gates, key requests, and the registry."""

    decided: Reader
    requests: Reader
    registry: Reader


async def open_inputs(
    broker: Broker, at: SlotPartitions, positions: Mapping[str, int], opened: AsyncExitStack
) -> Inputs:
    """Open a slot's readers at ``positions``; the exit stack ``opened`` closes them."""

    async def reader(partitions: Sequence[PartitionId], wait_ms: int = QUIET_WAIT_MS) -> Reader:
        start = {one: positions.get(position_name(one), 0) for one in partitions}
        return await opened.enter_async_context(Reader(broker, start, wait_ms))

    return Inputs(
        await reader(partitions_of_slot(at, Topic.DECIDED), FETCH_WAIT_MS),
        await reader(partitions_of_slot(at, Topic.KEY_REQUESTS)),
        await reader([REGISTRY_PARTITION]),
    )


def partitions_of_slot(at: SlotPartitions, topic: Topic) -> list[PartitionId]:
    """Return the slot's partitions of a topic."""
    return [(topic, partition) for partition in at.partitions]


@dataclass(slots=True)
class Clearances:
    """Reads the clearances of a slot, in the slot's thread; no I/O except ``newest``.

    ``partitions`` counts those of all slots. ``newest`` returns the sequence of the newest outcome
    in the ledger, by account. ``admitted_ms`` has the admission time of each intent in the last
    batch; a forged clearance may have no verdict.
    """

    slot: Slot
    partitions: int
    newest: NewestSequences
    admitted_ms: AdmittedMs = field(default_factory=dict)
    _checked: set[str] = field(default_factory=set)

    def read(self, records: Sequence[Record], now_ms: int) -> Intents:
        """Decode clearances; records that are none are audited. Raises ``StateRollbackError``."""
        refused: list[Outgoing] = []
        received = []
        for record in records:
            try:
                received.append(receive(record, self.partitions))
            except ClearanceError as error:
                refused.append(self.slot.refusal(record, now_ms, str(error)))
        # Before anything is decided: a state that was rolled back must not sign.
        self.check_not_behind_ledger(one.intent.account for one in received)
        found = (one.clearance for one in received)
        self.admitted_ms = {one.intent: one.verdicts[0].at_ms for one in found if one.verdicts}
        return Intents([Arrival(one.source, one.clearance) for one in received], refused)

    def check_not_behind_ledger(self, accounts: Iterable[str]) -> None:
        """Compare accounts with the ledger on first use; raise ``StateRollbackError``.

        Only accounts of the registry are compared: a writer to the bus could name any number of
        others.
        """
        opened = self.slot.registry.accounts
        new = sorted(account for account in set(accounts) - self._checked if account in opened)
        if new:
            self.slot.check_not_behind(self.newest(new))
            self._checked.update(new)
