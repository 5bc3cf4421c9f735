"""A slot's batches on Kafka from what was read to what is to be committed; no broker is asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from schemas.heads import RegistryHead
from schemas.record import Record
from signer.stage import Arrival
from streams.gates.clearance_decoding import ClearanceError, Received, receive
from streams.runners.clock import SteadyClock
from streams.runners.slot import Commit, Slot
from streams.runners.slot_inputs import positions_behind

AdmittedMs: TypeAlias = Mapping[str, int]
NewestSequences: TypeAlias = Callable[[Sequence[str]], Mapping[str, int]]


class ReadRecords(NamedTuple):
    """What was read for one batch, the last field first: each may rely on what is before it."""

    registry: Sequence[Record]
    requests: Sequence[Record]
    decided: Sequence[Record]


class Pinned(NamedTuple):
    """What is to be committed of a batch, and when each intent of it was admitted."""

    commit: Commit
    admitted_ms: AdmittedMs


@dataclass(slots=True)
class SlotBatches:
    """Has a slot judge what was read of ``partitions`` in all; works in the slot's thread.

    ``newest`` gives, of some accounts, the sequence of the newest outcome that the ledger holds.
    """

    slot: Slot
    clock: SteadyClock
    partitions: int
    newest: NewestSequences
    _proven: set[str] = field(default_factory=set)

    def pin(self, read: ReadRecords, head: RegistryHead | None) -> Pinned:
        """Judge what was read after ``head``.

        Raises ``StateRollbackError`` and as the slot does.
        """
        now_ms = self.clock.now_ms()
        trail = self.slot.administer(read.registry, read.requests, now_ms, head)
        received: list[Received] = []
        for record in read.decided:
            try:
                received.append(receive(record, self.partitions))
            except ClearanceError as error:
                refused = self.slot.operations.refused("record.refused", record, now_ms, str(error))
                trail.append(refused)
        self.prove(one.intent.account for one in received)
        arrivals = [Arrival(one.source, one.clearance) for one in received]
        behind = positions_behind([*read.registry, *read.requests, *read.decided])
        return Pinned(self.slot.pin(arrivals, trail, now_ms, behind), _admitted_ms(received))

    def prove(self, accounts: Iterable[str]) -> None:
        """Compare accounts with the ledger when they are first used; raise ``StateRollbackError``.

        Whoever writes to the bus could name any number of others than the registry's.
        """
        opened = self.slot.stage.registry.accounts
        new = sorted(account for account in set(accounts) - self._proven if account in opened)
        if new:
            self.slot.stage.memory.check_not_behind(self.newest(new))
            self._proven.update(new)


def _admitted_ms(received: Iterable[Received]) -> AdmittedMs:
    """Return the times of first verdicts; a forged clearance may have none."""
    found = (one.clearance for one in received)
    return {one.intent: one.verdicts[0].at_ms for one in found if one.verdicts}
