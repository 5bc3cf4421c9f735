"""Slot: the commit protocol of one signer, what each commit contains and in which order.

A charge is durable before its signature exists. The slot writes nothing: its caller makes every
commit durable before the next step. Opening a key may call a KMS.

1. ``pin`` decides a batch and pins every outcome, allocation or refusal, without a signature. Its
   commit contains the pinned outcomes, the new positions, the state, and the signed outcomes that
   are not yet published.
   *If the process ends before the commit, nothing of this batch happened: it is read again, and
   ``recover`` signs and publishes the earlier batch's outcomes. If it ends after that, ``recover``
   continues with step 2, even if intents expired or keys were rotated since.*
2. ``sign`` signs the pinned outcomes: the same bytes every time (RFC 6979, RFC 8032), and marks
   them done.
   *If the process ends here, nothing was published; ``recover`` makes the same bytes again.*
3. Signed outcomes are published with the next batch's commit if that batch is ready, otherwise by
   ``publish`` in a commit without a batch: they never wait for one. They are published in the order
   of their sequence, so a reader can detect a missing one.
   *If the process ends before that commit, ``recover`` signs and publishes them.*
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.keys.boot import SignerBoot
from schemas.ledger.heads import RegistryHead
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.registry.registry import Registry
from signer.core.window import SIGN_MS_MAX
from signer.keys.operations import Operations
from signer.keys.register import VaultRegister
from signer.stage import loading
from signer.stage.freshness import require_fresh, require_not_withheld
from signer.stage.stage import Arrival, Batch, HaltError, PinnedOutcome, SigningStage
from signer.stage.state import SlotState, StateWrite

DECIDE_MS_MAX = 1_000
MAINTENANCE_MS = 1_000
RECOVERED_COUNT_MAX = 64
OPENING_MS_MAX = 20_000
"""Short enough that a key opened first is still open when its portion is signed."""


class Commit(NamedTuple):
    """What becomes durable together: events to publish and the matching state."""

    events: Sequence[Outgoing]
    writes: Sequence[StateWrite]


@dataclass(slots=True)
class Slot:
    """Decides and signs for the accounts of some partitions.

    The caller makes each commit durable before its next call. If it cannot tell whether a commit
    is durable, it must end the process: this slot's memory already counts the commit.
    """

    stage: SigningStage
    operations: Operations
    now_ms: Callable[[], int]
    _pinned_ms: int = 0
    _maintained_ms: int = 0
    _pinned: Batch = field(default_factory=Batch)
    _signed: list[Outgoing] = field(default_factory=list)
    _boot: list[Outgoing] = field(default_factory=list)

    def pin(
        self,
        arrivals: Sequence[Arrival],
        trail: Sequence[Outgoing],
        now_ms: int,
        read: Mapping[str, int],
    ) -> Commit:
        """Decide ``arrivals`` (step 1); ``trail`` and the positions ``read`` join the commit.

        If opening keys took long, charges count from the time when all keys were open.
        """
        # 1. If the process ends before the caller commits this, nothing of this batch happened.
        batch, judged_ms = self.stage.allocate(arrivals, now_ms), self.now_ms()
        if judged_ms - now_ms > DECIDE_MS_MAX:
            self.stage.recharge(batch.pinned, judged_ms)
            now_ms = judged_ms
        return self._commit(batch, trail, now_ms, read)

    def sign(self) -> None:
        """Sign what the last commit pinned (step 2); that commit must be durable.

        Raises ``ClockError``, and ``HaltError`` if more than ``SIGN_MS_MAX`` passed since the
        charge, for example because the process was suspended: the charge could leave the window
        before its signature is a day old. The next start dates the charge again.
        """
        self._check_not_late()
        # 2. If the process ends here, the signatures existed in memory only, and recover() makes
        # the same bytes.
        signed = self.stage.sign(self._pinned)
        # Checked again: signatures that were made too late are dropped, not published.
        self._check_not_late()
        self._signed, self._pinned = signed, Batch()

    def publish(self) -> Commit:
        """Return a commit of the signed outcomes without a batch (step 3)."""
        # 3. If the process ends before the caller commits this, recover() signs and publishes them
        # again.
        signed, self._signed = self._signed, []
        return Commit(signed, self.stage.memory.drain())

    def finish(self) -> Iterator[Commit]:
        """Sign and publish what the last commit pinned (steps 2 and 3)."""
        self.sign()
        if self._signed:
            yield self.publish()

    def judge(
        self,
        arrivals: Sequence[Arrival],
        trail: Sequence[Outgoing],
        now_ms: int,
        read: Mapping[str, int],
    ) -> Iterator[Commit]:
        """Pin, sign and publish one batch; make each commit durable before taking the next."""
        yield self.pin(arrivals, trail, now_ms, read)
        yield from self.finish()

    @property
    def has_unpublished(self) -> bool:
        """Whether there are signed outcomes that no commit contains yet."""
        return bool(self._signed)

    def load(self, registry: Iterable[Record], vault: Iterable[Record]) -> None:
        """Load registry records and vault events as of the last commit; see ``loading``."""
        loading.load(self.registry, self.vault, registry, vault, self.state)

    def recover(self) -> Iterator[Commit]:
        """Finish what earlier boots pinned but did not publish, in portions.

        The registry must have been read to its end. Raises ``HaltError`` if there is something to
        finish and the registry does not name this signer; its other changes do not stop recovery.
        """
        unfinished = self.stage.unfinished()
        if unfinished:
            self.check_registered()
        while unfinished:
            portion = self._open_keys(unfinished)
            unfinished = unfinished[len(portion) :]
            now_ms = self.now_ms()
            # 1. Re-date the charges. If the process ends before this commit, they keep their old
            # time. If it ends after that, the next recovery re-dates them again.
            yield self._commit(self.stage.recover(portion, now_ms), [], now_ms, {})
            # 2., 3. If the process ends between them, this portion is still pinned and recovered
            # again.
            yield from self.finish()
        # Until here, expired share keys still opened the client shares of pinned outcomes.
        self.operations.maintenance.end_recovery()

    def _open_keys(self, unfinished: list[PinnedOutcome]) -> list[PinnedOutcome]:
        """Open the keys of the next portion before its charges are dated.

        Otherwise a slow KMS would delay the signatures behind their charges.
        """
        begun_ms = self.now_ms()
        for count, pinned in enumerate(unfinished[:RECOVERED_COUNT_MAX], 1):
            self.stage.open_keys([pinned], self.now_ms())
            if self.now_ms() - begun_ms > OPENING_MS_MAX:
                return unfinished[:count]
        return unfinished[:RECOVERED_COUNT_MAX]

    def attest(self, boot: SignerBoot) -> None:
        """Name the boot in all decisions from now on.

        Its record is committed with the first batch that names it, before any of it is signed.
        """
        self.stage.boot = boot.id
        self._boot = [Outgoing(Topic.BOOTS, "", self.stage.identity.sign_event(boot))]

    def administer(
        self,
        registry: Sequence[Record],
        requests: Sequence[Record],
        now_ms: int,
        head: RegistryHead | None = None,
    ) -> list[Outgoing]:
        """Apply registry records, execute orders, and do maintenance if due; return their events.

        Raises ``HaltError`` if the registry, with these records, does not name this signer, and
        ``RegistryStaleError`` if it lacks the record that ``head`` names: the head was read before
        these records.
        """
        events = self.register(registry, now_ms)
        if head is not None:
            require_not_withheld(head, self.registry)
            require_fresh(head, now_ms)
        self.check_registered()
        events += [event for r in requests for event in self.operations.execute_order(r, now_ms)]
        due = now_ms - self._maintained_ms >= MAINTENANCE_MS
        return events + self.maintain(now_ms) if due else events

    def check_registered(self, after: Registry | None = None) -> None:
        """Raise ``HaltError`` unless the registry names this signer as active and with its key.

        ``after`` is the registry as a new record would make it. An empty registry passes: it has no
        agents, so there is nothing to decide under it.
        """
        registry = self.registry if after is None else after
        name, key = self.stage.identity.keyid, self.stage.identity.public_key
        if registry.record_count and registry.service_key("signer", name) != key:
            raise HaltError(
                f"the registry does not name {name} as an active signer with the key it has: "
                "nothing is signed until an admin registers it so"
            )

    def register(self, registry: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """Apply registry records; return the audit records of refused ones."""
        return [event for r in registry for event in self.operations.register(r, now_ms)]

    def maintain_only(self, owns: Callable[[str], bool]) -> None:
        """Maintain only the vaults of the accounts that this slot ``owns`` [default: all]."""
        self.operations.maintenance.owns = owns

    def maintain(self, now_ms: int) -> list[Outgoing]:
        """Do one portion of custody maintenance; return its events."""
        self._maintained_ms = now_ms
        return self.operations.maintenance.run(now_ms)

    def idle(self, now_ms: int) -> Iterator[Commit]:
        """Do maintenance between batches; make each commit durable before taking the next."""
        self.operations.keychain.close_expired()
        events = self.maintain(now_ms)
        if events or self.stage.memory.changed:
            yield from self.judge([], events, now_ms, {})

    @property
    def registry(self) -> Registry:
        """The registry as of the last record that was applied."""
        return self.stage.registry

    @property
    def vault(self) -> VaultRegister:
        """The signer's own events about keys and secrets."""
        return self.operations.vault

    @property
    def state(self) -> SlotState:
        """The slot's record as of the last commit: positions, counts and time."""
        return self.stage.memory.slot

    def account(self, name: str) -> Account:
        """Return an account as of the last batch; raise ``StateIntegrityError``."""
        return self.stage.memory.account(name)

    def check_not_behind(self, newest: Mapping[str, int]) -> None:
        """Raise ``StateRollbackError`` if an account is older than its newest outcome."""
        self.stage.memory.check_not_behind(newest)

    @property
    def signer(self) -> str:
        """The name of the signer."""
        return self.stage.identity.keyid

    def refusal(self, record: Record, now_ms: int, why: str) -> Outgoing:
        """Return the audit record of a record that is refused."""
        return self.operations.audit_record("record.refused", record, now_ms, why)

    def close(self) -> None:
        """Close and zeroise every open key."""
        self.operations.keychain.close()

    def _check_not_late(self) -> None:
        late_ms = self.now_ms() - self._pinned_ms
        if self._pinned.pinned and late_ms > SIGN_MS_MAX:
            raise HaltError(
                f"{late_ms} ms passed between a charge and its signature, more than {SIGN_MS_MAX}: "
                "start again; the start signs what was charged and dates the charge again"
            )

    def _commit(
        self, batch: Batch, trail: Sequence[Outgoing], now_ms: int, read: Mapping[str, int]
    ) -> Commit:
        memory = self.stage.memory
        # The count of registry records, and count and digest of the vault's events, as of this
        # commit: the next start compares them with what it loads, and so detects a rollback.
        update = {
            "positions": {**memory.slot.positions, **read},
            "registry_sequence": self.registry.record_count,
            "key_count": self.vault.count,
            "key_digest": self.vault.digest(),
            "share_version": self.operations.maintenance.share_version,
            "last_ms": max(now_ms, memory.slot.last_ms),
        }
        signed, self._signed = self._signed, []
        self._pinned, self._pinned_ms = batch, now_ms
        custody = self.operations.maintenance.drain_records(now_ms)
        # Outcomes of the batch before come first: readers see outcomes in the order of sequence.
        events = [*signed, *self._boot_record(batch), *trail, *batch.events, *custody]
        return Commit(events, memory.drain(memory.slot.model_copy(update=update)))

    def _boot_record(self, batch: Batch) -> list[Outgoing]:
        """Return the record of this boot if ``batch`` is the first that names it."""
        names = (live.pinned.boot for _, live in batch.pinned if live.pinned)
        if not self._boot or self.stage.boot not in names:
            return []
        boot, self._boot = self._boot, []
        return boot
