"""Pin outcomes, then sign, then publish: no signature exists before its charge is durable.

1. ``allocate`` judges a batch and pins every outcome, signed or refused, without its signatures.
   The caller commits its events and ``memory.drain()`` together. If we die before that commit,
   nothing happened. If we die after it, ``recover`` finds what was pinned and goes on with 2,
   whatever expired, rotated or changed since.
2. ``sign`` makes the outcomes: the same bytes every time (RFC 6979, RFC 8032). If we die here,
   nothing left the process; ``recover`` makes them again.
3. The caller commits them with ``memory.drain()``, which marks them done. They are published in
   the order of their sequence, so that whoever reads them sees at once that none is missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from schemas.audit import AuditAction, audited, input_digest
from schemas.canonical import Malformed
from schemas.clearance import Clearance
from schemas.outcome import IntentRejected, MessageSigned, TransactionSigned
from schemas.reasons import Reason
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.account import LiveIntent, owner_key
from signer.authority import Allocation, Draft, Duplicate, Judgement, Refusal, authorize
from signer.case import Case
from signer.casework import Casework
from signer.ethereum.signing import DigestSigner
from signer.keys.accesses import Asked
from signer.keys.descriptor import KeyDescriptor
from signer.keys.register import KeyRegister
from signer.keys.use import KeyUse
from signer.memory import Memory
from signer.registered import AgentUnknown
from signer.registry import Registry
from signer.rules.decision import Facts
from signer.signatures import Ed25519Signer, SignatureWrong
from signer.signing import signed

Pinned: TypeAlias = tuple[str, LiveIntent]
"""A record of the memory with its key."""
SIGNED_TOPICS = (Topic.OUTCOMES, Topic.SIGNED)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A clearance from the bus; ``source`` names its record as topic/partition/offset."""

    source: str
    clearance: Clearance


@dataclass(slots=True)
class Batch:
    """What one batch came to: events to publish now, and pinned outcomes to be signed."""

    events: list[Outgoing] = field(default_factory=list)
    pinned: list[Pinned] = field(default_factory=list)


class StageHalted(Exception):  # noqa: N818 - the process must end and somebody must look
    """An outcome cannot be signed as it was pinned; nothing may go on before it is."""


@dataclass(slots=True)
class SigningStage:
    """The sixth gate. Single-threaded: one writer decides, in order.

    ``boot`` names this life of the signer in what it decides; what an earlier life pinned keeps the
    name of that one.
    """

    identity: Ed25519Signer
    casework: Casework
    key_use: KeyUse

    @property
    def registry(self) -> Registry:
        """What is registered."""
        return self.casework.registry

    @property
    def keys(self) -> KeyRegister:
        """Which keys exist."""
        return self.casework.keys

    @property
    def memory(self) -> Memory:
        """What was decided."""
        return self.casework.memory

    @property
    def boot(self) -> str | None:
        """The life of the signer, once it is attested."""
        return self.casework.boot

    @boot.setter
    def boot(self, boot: str | None) -> None:
        self.casework.boot = boot

    def allocate(self, arrivals: Iterable[Arrival], now_ms: int) -> Batch:
        """Judge clearances in order and pin their outcomes.

        Duplicates and refused records become events at once.
        """
        at_ms = max(now_ms, self.memory.slot.last_ms)
        self.memory.begin()
        self.key_use.begin(at_ms)
        batch = Batch()
        for account in dict.fromkeys(self._judge(arrival, at_ms, batch) for arrival in arrivals):
            if account is not None:
                self.memory.forget(account, at_ms)
        batch.events += self.key_use.drain()
        return batch

    def unfinished(self) -> list[Pinned]:
        """Return the outcomes an earlier life pinned, in order."""
        return sorted(self.memory.pinned(), key=lambda found: found[1].sequence)

    def open_keys(self, pinned: Sequence[Pinned], now_ms: int) -> None:
        """Open what pinned outcomes are signed with, however long that takes.

        Raises ``CustodyError``, and ``StageHalted`` for a key that is another by now.
        """
        self.key_use.begin(now_ms)
        for _, live in pinned:
            if isinstance(live.pinned, TransactionSigned | MessageSigned):
                self._pinned_key(live.pinned, live)

    def recover(self, pinned: Sequence[Pinned], now_ms: int) -> Batch:
        """Return the outcomes an earlier life pinned as a batch; charges count from now."""
        for _, live in pinned:
            if isinstance(live.pinned, TransactionSigned):
                account = self.memory.account(live.account).recharged(live.pinned, now_ms)
                self.memory.set_account(account)
        return Batch(self.key_use.drain(), list(pinned))

    def sign(self, batch: Batch) -> list[Outgoing]:
        """Make every outcome of a batch exactly as it was pinned and mark it done."""
        events: list[Outgoing] = []
        for key, live in batch.pinned:
            events += self._outcome(live)
            self.memory.set_live(key, live.done())
        return events

    def _judge(self, arrival: Arrival, at_ms: int, batch: Batch) -> str | None:
        try:
            authentic = self.casework.authenticate(arrival.clearance)
        except (Malformed, AgentUnknown, SignatureWrong) as error:
            named = input_digest(arrival.clearance.encode())
            batch.events.append(self._audit("record.refused", arrival, at_ms, named, str(error)))
            return None
        case = self.casework.case(authentic, arrival.clearance.simulation, at_ms)
        judged, name = self._authorize(case), case.digest
        if isinstance(judged, Duplicate):
            batch.events.append(self._audit("intent.duplicate", arrival, at_ms, name, name))
        else:
            batch.pinned.append((self._remember(judged, case.facts), judged.live))
        return case.intent.account

    def _authorize(self, case: Case) -> Judgement:
        """Judge, and then open the key: none is opened for what the rules refuse anyway.

        An agent that may not use a key neither has a KMS asked for it nor closes another's.
        """
        account = self.memory.account(case.intent.account)
        judged = authorize(case, account, self.identity.keyid)
        key = case.facts.key
        if key is None:
            return judged
        if not isinstance(judged, Allocation):
            self._note_refused(judged, key)
            return judged
        intent, asked = case.intent, Asked(case.intent.agent, case.digest)
        problem = self.key_use.problem(self.registry.org, key, asked, intent.client_share)
        if problem is None:
            return judged
        shut = replace(case, facts=replace(case.facts, key_problem=problem))
        return authorize(shut, account, self.identity.keyid)

    def _note_refused(self, judged: Refusal | Duplicate, key: KeyDescriptor) -> None:
        live = judged.live if isinstance(judged, Refusal) else None
        if live is None or not isinstance(live.pinned, IntentRejected):
            return
        if live.pinned.reason is Reason.KEY_NOT_GRANTED:
            self.key_use.refuse(self.registry.org, key, Asked(live.agent, live.intent))

    def _remember(self, judged: Allocation | Refusal, facts: Facts) -> str:
        live = judged.live
        key = live.intent if facts.owner else owner_key(live.agent, live.idempotency_key)
        self.memory.set_account(judged.account)
        self.memory.set_live(key, live)
        return key

    def _outcome(self, live: LiveIntent) -> list[Outgoing]:
        draft = live.pinned
        if draft is None:
            return []
        if isinstance(draft, IntentRejected):
            return [Outgoing(Topic.OUTCOMES, live.account, self.identity.sign_event(draft))]
        made = self.identity.sign_event(signed(draft, self._pinned_key(draft, live)))
        return [Outgoing(topic, live.account, made) for topic in SIGNED_TOPICS]

    def _pinned_key(self, draft: Draft, live: LiveIntent) -> DigestSigner:
        key = self.keys.version(draft.account, draft.key_path, draft.key_version)
        if key is None or key.address != draft.sender:
            raise StageHalted(f"the key at {draft.key_path} is not the one that was pinned")
        asked = Asked(draft.agent, live.intent)
        return self.key_use.open(self.registry.org, key, asked, live.client_share)

    def _audit(
        self, action: AuditAction, arrival: Arrival, at_ms: int, subject: str, detail: str
    ) -> Outgoing:
        actor = self.identity.keyid
        return audited(action, arrival.source, subject, detail, actor=actor, at_ms=at_ms)
