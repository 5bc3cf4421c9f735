"""Signing stage: decides clearances in order, and signs what was decided.

It changes the signer's memory only; ``slot`` has the commit protocol. The steps 1 to 3 in the
comments here are those of ``slot``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from schemas.canonical import MalformedError
from schemas.intents.clearance import Clearance
from schemas.intents.outcome import IntentRejected, MessageSigned, TransactionSigned
from schemas.intents.reasons import Reason
from schemas.ledger.audit import AuditAction, audited, input_digest
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.core.account import LiveIntent, owner_key
from signer.core.case import Case, gate_case
from signer.core.decide import Allocation, Draft, Duplicate, Judgement, Refusal, authorize
from signer.core.errors import InvalidSignatureError, UnknownAgentError
from signer.core.ethereum.signing import DigestSigner
from signer.core.registry.registry import Registry
from signer.core.rules.decision import Facts
from signer.custody.event_signing import Ed25519Signer
from signer.keys.accesses import KeyUseRequest
from signer.keys.authorized_use import KeyUse
from signer.keys.descriptor import KeyDescriptor
from signer.keys.key_register import KeyRegister
from signer.stage.case_builder import authenticate_clearance, remembered_case
from signer.stage.memory import Memory
from signer.stage.recorded import Recorded
from signer.stage.sign import signed

PinnedOutcome: TypeAlias = tuple[str, LiveIntent]
"""A record of the memory with its key."""
SIGNED_TOPICS = (Topic.OUTCOMES, Topic.SIGNED)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A clearance from the bus; ``source`` names its record as topic/partition/offset."""

    source: str
    clearance: Clearance


@dataclass(slots=True)
class Batch:
    """The result of one batch: events to publish now, and pinned outcomes to sign."""

    events: list[Outgoing] = field(default_factory=list)
    pinned: list[PinnedOutcome] = field(default_factory=list)


class HaltError(Exception):
    """Going on could break a promise, so the process must end."""


@dataclass(slots=True)
class SigningStage:
    """The sixth gate. Single-threaded: one writer decides, in order.

    ``recorded`` finds outcomes in the ledger, of intents that the memory may have forgotten. New
    outcomes name ``boot``, once the signer is attested. Outcomes that an earlier boot pinned keep
    the name of that boot.
    """

    identity: Ed25519Signer
    registry: Registry
    memory: Memory
    keys: KeyRegister
    key_use: KeyUse
    recorded: Recorded
    boot: str | None = None

    def allocate(self, arrivals: Iterable[Arrival], now_ms: int) -> Batch:
        """Decide clearances in order and pin their outcomes (step 1).

        A duplicate, a repeated request or an invalid record becomes an audit event without an
        outcome.
        """
        # Time never goes back within a slot, or a window would count a charge too short.
        at_ms = max(now_ms, self.memory.slot.last_ms)
        self.memory.begin()
        self.key_use.begin(at_ms)
        batch = Batch()
        # 1. Decide and pin. Nothing here is durable: if the process ends now, the batch is read
        # again.
        for account in dict.fromkeys(self._judge(arrival, at_ms, batch) for arrival in arrivals):
            if account is not None:
                is_recorded = partial(self.recorded.through, account, at_ms=at_ms)
                self.memory.forget(account, at_ms, is_recorded)
        batch.events += self.key_use.drain()
        return batch

    def unfinished(self) -> list[PinnedOutcome]:
        """Return the outcomes that an earlier boot pinned, in order."""
        return sorted(self.memory.pinned(), key=lambda found: found[1].sequence)

    def open_keys(self, pinned: Sequence[PinnedOutcome], now_ms: int) -> None:
        """Open the keys of pinned outcomes; this may take as long as the KMS takes.

        Raises ``CustodyError``, and ``HaltError`` if the key is no longer the pinned one.
        """
        self.key_use.begin(now_ms)
        for _, live in pinned:
            if isinstance(live.pinned, TransactionSigned | MessageSigned):
                self._pinned_key(live.pinned, live)

    def recover(self, pinned: Sequence[PinnedOutcome], now_ms: int) -> Batch:
        """Return as a batch what an earlier boot pinned; the charges count from now."""
        self.recharge(pinned, now_ms)
        return Batch(self.key_use.drain(), list(pinned))

    def recharge(self, pinned: Sequence[PinnedOutcome], now_ms: int) -> None:
        """Let the charges of pinned outcomes count from now.

        Otherwise a charge could leave the window before the money moves (ADR 2).
        """
        for _, live in pinned:
            if isinstance(live.pinned, TransactionSigned):
                account = self.memory.account(live.account).recharged(live.pinned, now_ms)
                self.memory.set_account(account)

    def sign(self, batch: Batch) -> list[Outgoing]:
        """Sign every outcome of a batch exactly as it was pinned and mark it done (step 2).

        The caller must have committed the pinned outcomes before.
        """
        events: list[Outgoing] = []
        for key, live in batch.pinned:
            # 2. If the process ends here, the signature existed in memory only, and recover() makes
            # the same bytes.
            events += self._outcome(live)
            # 3. Done becomes durable in the commit that publishes the outcome.
            self.memory.set_live(key, live.done())
        return events

    def _judge(self, arrival: Arrival, at_ms: int, batch: Batch) -> str | None:
        registry, clearance = self.registry, arrival.clearance
        try:
            authentic = authenticate_clearance(clearance, registry)
        except (MalformedError, UnknownAgentError, InvalidSignatureError) as error:
            # No outcome: the record does not prove that an agent asked for anything.
            named = input_digest(clearance.encode())
            batch.events.append(self._audit("record.refused", arrival, at_ms, named, str(error)))
            return None
        report, find_key = clearance.simulation, self.keys.reference
        known = gate_case(authentic, registry, find_key, report, at_ms)
        case = remembered_case(known, self.memory, self.recorded.ledger.has_outcome, self.boot)
        judged = self._authorize(case)
        if isinstance(judged, Duplicate):
            batch.events.append(
                self._audit("intent.duplicate", arrival, at_ms, case.digest, judged.intent)
            )
            if judged.extended:
                # Never a record that this batch pins, which ``sign`` would overwrite: that one is
                # kept for at least 24 h from now, and no repetition expires later.
                first = judged.extended
                self.memory.set_live(owner_key(first.agent, first.idempotency_key), first)
        else:
            batch.pinned.append((self._remember(judged, case.facts), judged.live))
        return case.intent.account

    def _authorize(self, case: Case) -> Judgement:
        """Decide, then open the key. A key is opened only for an intent that passes every rule.

        So an agent without a grant can neither cause a KMS call nor evict another agent's open key.
        """
        account = self.memory.account(case.intent.account)
        judged = authorize(case, account, self.identity.keyid)
        key = self._key_of(case)
        if key is None:
            return judged
        if not isinstance(judged, Allocation):
            self._note_refused(judged, key)
            return judged
        intent, asked = case.intent, KeyUseRequest(case.intent.agent, case.digest)
        problem = self.key_use.problem(self.registry.org, key, asked, intent.client_share)
        if problem is None:
            return judged
        # The key does not open: decide again with that fact, so that nothing is charged.
        unopened = replace(case, facts=replace(case.facts, key_problem=problem))
        return authorize(unopened, account, self.identity.keyid)

    def _key_of(self, case: Case) -> KeyDescriptor | None:
        ref = case.facts.key
        return self.keys.version(ref.account, ref.path, ref.version) if ref else None

    def _note_refused(self, judged: Refusal | Duplicate, key: KeyDescriptor) -> None:
        live = judged.live if isinstance(judged, Refusal) else None
        if live is None or not isinstance(live.pinned, IntentRejected):
            return
        if live.pinned.reason is Reason.KEY_NOT_GRANTED:
            self.key_use.record_refusal(
                self.registry.org, key, KeyUseRequest(live.agent, live.intent)
            )

    def _remember(self, judged: Allocation | Refusal, facts: Facts) -> str:
        live = judged.live
        # The first intent with an idempotency key owns that name. One that conflicts, or that came
        # over its agent's rate, is stored under its own digest: it gets its one outcome too, and a
        # retry after the minute makes a new one.
        over_rate = isinstance(judged, Refusal) and judged.over_rate
        owns = facts.owner is None and not over_rate
        key = owner_key(live.agent, live.idempotency_key) if owns else live.intent
        self.memory.set_account(judged.account)
        self.memory.set_live(key, live)
        return key

    def _outcome(self, live: LiveIntent) -> list[Outgoing]:
        draft = live.pinned
        if draft is None:
            return []
        if isinstance(draft, IntentRejected):
            return [Outgoing(Topic.OUTCOMES, live.account, self.identity.sign_event(draft))]
        event = self.identity.sign_event(signed(draft, self._pinned_key(draft, live)))
        return [Outgoing(topic, live.account, event) for topic in SIGNED_TOPICS]

    def _pinned_key(self, draft: Draft, live: LiveIntent) -> DigestSigner:
        key = self.keys.version(draft.account, draft.key_path, draft.key_version)
        # The vault changed under a pinned outcome: signing with another key would change its bytes.
        if key is None or key.address != draft.sender:
            raise HaltError(
                f"the key at {draft.key_path} is not the one that was pinned: restore the data "
                "folder, or on Kafka the vault topic, from a good copy, then start again"
            )
        asked = KeyUseRequest(draft.agent, live.intent)
        return self.key_use.open(self.registry.org, key, asked, live.client_share)

    def _audit(
        self, action: AuditAction, arrival: Arrival, at_ms: int, subject: str, detail: str
    ) -> Outgoing:
        actor = self.identity.keyid
        return audited(action, arrival.source, subject, detail, actor=actor, at_ms=at_ms)
