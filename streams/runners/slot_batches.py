"""Turns records read from Kafka into a slot's commits; no I/O except ``newest``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from schemas.ledger.heads import RegistryHead
from schemas.record import Record
from signer.stage.slot import Commit, Slot
from signer.stage.stage import Arrival
from streams.clearances import ClearanceError, Received, receive
from streams.runners.clock import SteadyClock
from streams.runners.slot_inputs import next_positions

AdmittedMs: TypeAlias = Mapping[str, int]
NewestSequences: TypeAlias = Callable[[Sequence[str]], Mapping[str, int]]


class ReadRecords(NamedTuple):
    """The records of one batch. Each field may depend on the fields before it."""

    registry: Sequence[Record]
    requests: Sequence[Record]
    decided: Sequence[Record]


class PinnedBatch(NamedTuple):
    """The commit of a batch, and the admission time of each of its intents."""

    commit: Commit
    admitted_ms: AdmittedMs


@dataclass(slots=True)
class SlotBatches:
    """Decides batches of a slot, in the slot's thread; ``partitions`` counts those of all slots.

    ``newest`` returns the sequence of the newest outcome in the ledger, by account.
    """

    slot: Slot
    clock: SteadyClock
    partitions: int
    newest: NewestSequences
    _checked: set[str] = field(default_factory=set)

    def pin(self, read: ReadRecords, head: RegistryHead | None) -> PinnedBatch:
        """Decide records that were read after ``head``, as ``Slot.pin`` does.

        Raises ``StateRollbackError``, and what the slot raises.
        """
        now_ms = self.clock.now_ms()
        # The registry first, then orders, then intents: each may depend on the ones before.
        trail = self.slot.administer(read.registry, read.requests, now_ms, head)
        received: list[Received] = []
        for record in read.decided:
            try:
                received.append(receive(record, self.partitions))
            except ClearanceError as error:
                audit_record = self.slot.operations.audit_record
                trail.append(audit_record("record.refused", record, now_ms, str(error)))
        # Before anything is decided: a state that was rolled back must not sign.
        self.check_not_behind_ledger(one.intent.account for one in received)
        arrivals = [Arrival(one.source, one.clearance) for one in received]
        # Refused records count as read too, or a restart would read and audit them again.
        positions = next_positions([*read.registry, *read.requests, *read.decided])
        return PinnedBatch(
            self.slot.pin(arrivals, trail, now_ms, positions), _admitted_ms(received)
        )

    def check_not_behind_ledger(self, accounts: Iterable[str]) -> None:
        """Compare accounts with the ledger on first use; raise ``StateRollbackError``.

        Only accounts of the registry are compared: a writer to the bus could name any number of
        others.
        """
        opened = self.slot.stage.registry.accounts
        new = sorted(account for account in set(accounts) - self._checked if account in opened)
        if new:
            self.slot.stage.memory.check_not_behind(self.newest(new))
            self._checked.update(new)


def _admitted_ms(received: Iterable[Received]) -> AdmittedMs:
    """Return the time of each first verdict; a forged clearance may have no verdict."""
    found = (one.clearance for one in received)
    return {one.intent: one.verdicts[0].at_ms for one in found if one.verdicts}
