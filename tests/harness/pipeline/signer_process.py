"""A signer with a simulated disk that can crash between any two steps and restart."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.intents.outcome import AnyOutcome, IntentRejected, TransactionSigned, decode_outcome
from schemas.keys.secret_access import SecretAccess
from schemas.ledger.audit import AuditRecord, action_of
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.registry.registry import Registry
from signer.keys.authorized_use import KeyUse
from signer.keys.descriptor import KeyDescriptor
from signer.keys.key_register import KeyRegister
from signer.stage.memory import Memory
from signer.stage.recorded import Recorded
from signer.stage.stage import Arrival, Batch, SigningStage
from signer.stage.state import StateMac, StateWrite
from tests.harness.builders.cases import SECRET, SIGNER, address_of
from tests.harness.builders.ethereum import MemoryKey
from tests.harness.builders.state_store import DictStateStore

STATE_MAC = StateMac(b"k" * 32)
SLOT = "0"


class Crash(StrEnum):
    """The point at which a process crashes."""

    BEFORE_ALLOCATIONS = "before the allocations are committed"
    BEFORE_SIGNING = "after the allocations are committed"
    BEFORE_OUTCOMES = "after signing, before the outcomes are committed"
    AFTER_OUTCOMES = "after the outcomes are committed"


class Died(Exception):  # noqa: N818 - what happened, not an error of the code under test
    """The process has crashed; only its disk remains."""


@dataclass
class Disk:
    """What survives a crash: the sealed state and the published events, committed atomically."""

    state: DictStateStore = field(default_factory=DictStateStore)
    published: list[Outgoing] = field(default_factory=list)
    outcomes: list[AnyOutcome] = field(default_factory=list)
    audits: list[AuditRecord] = field(default_factory=list)
    accesses: list[SecretAccess] = field(default_factory=list)

    def commit(self, events: Sequence[Outgoing], writes: Sequence[StateWrite]) -> None:
        self.state.commit(writes)
        for event in events:
            self.published.append(event)
            if event.topic is Topic.OUTCOMES:
                self.outcomes.append(decode_outcome(event.value))
            if event.topic is Topic.AUDIT and action_of(event.value) == "secret.access":
                self.accesses.append(SecretAccess.decode(event.value))
            elif event.topic is Topic.AUDIT:
                self.audits.append(AuditRecord.decode(event.value))

    def signed(self) -> list[TransactionSigned]:
        return [one for one in self.outcomes if isinstance(one, TransactionSigned)]


def reasons(disk: Disk) -> list[str]:
    """Return how each outcome ended: ``signed``, or the reason of the refusal."""
    return [o.reason if isinstance(o, IntentRejected) else "signed" for o in disk.outcomes]


@dataclass
class SignerProcess:
    """One run of a signer. Of its memory only ``handed_out`` survives a crash, for the checks.

    It has every signature ever made, published or not, by the intent's digest.
    """

    disk: Disk
    registry: Registry
    keys: KeyRegister
    secrets: Sequence[bytes] = (SECRET,)
    handed_out: dict[str, set[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ledger = DiskLedger(self.disk)
        opened = {address_of(secret): MemoryKey(secret) for secret in self.secrets}
        self.memory = Memory(self.disk.state, STATE_MAC, SLOT)

        def open_key(key: KeyDescriptor, *_: object) -> MemoryKey:
            return opened[key.address]

        self.stage = SigningStage(
            SIGNER, self.registry, self.memory, self.keys, KeyUse(open_key), Recorded(self.ledger)
        )

    def start(self, now_ms: int, die: Crash | None = None) -> Batch:
        """Recover: finish what an earlier run allocated, and return it."""
        batch = self.stage.recover(self.stage.unfinished(), now_ms)
        if batch.pinned:
            self._finish(batch, now_ms, die)
        return batch

    def run(self, arrivals: Sequence[Arrival], now_ms: int, die: Crash | None = None) -> Batch:
        """Process one batch to the end, or crash at ``die``."""
        batch = self.stage.allocate(arrivals, now_ms)
        self._finish(batch, now_ms, die)
        return batch

    def _finish(self, batch: Batch, now_ms: int, die: Crash | None) -> None:
        self._die(die, Crash.BEFORE_ALLOCATIONS)
        last_ms = max(now_ms, self.memory.slot.last_ms)
        slot = self.memory.slot.model_copy(update={"last_ms": last_ms})
        self.disk.commit(batch.events, self.memory.drain(slot))
        self._die(die, Crash.BEFORE_SIGNING)
        events = self.stage.sign(batch)
        self._remember(events)
        self._die(die, Crash.BEFORE_OUTCOMES)
        self.disk.commit(events, self.memory.drain())
        self._die(die, Crash.AFTER_OUTCOMES)

    def _die(self, die: Crash | None, here: Crash) -> None:
        if die is here:
            raise Died(here)

    def _remember(self, events: Sequence[Outgoing]) -> None:
        for event in events:
            self.handed_out.setdefault(decode_outcome(event.value).intent, set()).add(event.value)


@dataclass
class DiskLedger:
    """A ledger without lag over what a signer published; ``asked`` has the intents looked up."""

    disk: Disk
    behind: int = 0
    asked: list[str] = field(default_factory=list)

    def has_outcome(self, intent: str) -> bool:
        self.asked.append(intent)
        decided = {outcome.intent for outcome in self.disk.outcomes}
        firsts = {audit.detail for audit in self.disk.audits if audit.subject == intent}
        return intent in decided or bool(firsts & decided)

    def newest_sequence(self, account: str) -> int:
        found = [one.sequence for one in self.disk.outcomes if one.account == account]
        return max(found, default=0) - self.behind
