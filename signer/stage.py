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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from schemas.audit import AuditAction, audited, input_digest
from schemas.canonical import Malformed
from schemas.clearance import Clearance
from schemas.client_share import ClientShare
from schemas.dsse import INTENT_TYPE
from schemas.intent import EXPIRY_MS_MAX, AnyIntent, decode_intent, intent_digest
from schemas.outcome import IntentRejected, MessageSigned, TransactionSigned
from schemas.reasons import Reason
from schemas.record import Outgoing
from schemas.registry import AgentSet
from schemas.topics import Topic
from signer.account import LiveIntent, far_key, owner_key
from signer.authority import Allocation, Draft, Duplicate, Judgement, Refusal, authorize
from signer.case import Case
from signer.custody.errors import ClientShareMissingError, CorruptError, CustodyError
from signer.ethereum.signing import DigestSigner
from signer.evidence import judge_report
from signer.keys.accesses import Asked, KeyAccesses
from signer.keys.descriptor import KeyDescriptor
from signer.keys.register import KeyRegister
from signer.memory import Memory
from signer.registered import AgentUnknown
from signer.registry import Registry
from signer.rules.decision import Facts
from signer.signatures import Ed25519Signer, SignatureWrong, open_envelope
from signer.signing import signed

Pinned: TypeAlias = tuple[str, LiveIntent]
"""A record of the memory with its key."""
UseShared: TypeAlias = Callable[[KeyDescriptor, str, ClientShare], DigestSigner]
"""How a key is opened with the share that an agent's intent brought."""
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


def no_shares(_key: KeyDescriptor, _agent: str, _share: ClientShare) -> DigestSigner:
    """Open nothing: a stage whose keys no client holds a share of."""
    raise ClientShareMissingError("This signer takes no client's share.")


@dataclass(slots=True)
class SigningStage:
    """The sixth gate. Single-threaded: one writer decides, in order.

    ``boot`` names this life of the signer in what it decides; what an earlier life pinned keeps the
    name of that one.
    """

    identity: Ed25519Signer
    registry: Registry
    keys: KeyRegister
    memory: Memory
    use_key: Callable[[KeyDescriptor], DigestSigner]
    decided_before: Callable[[str], bool]
    use_shared: UseShared = no_shares
    boot: str | None = None
    accesses: KeyAccesses = field(default_factory=KeyAccesses)
    _shut: set[tuple[str, str, int]] = field(default_factory=set)

    def allocate(self, arrivals: Iterable[Arrival], now_ms: int) -> Batch:
        """Judge clearances in order and pin their outcomes.

        Duplicates and refused records become events at once.
        """
        at_ms = max(now_ms, self.memory.slot.last_ms)
        self.memory.begin()
        self._shut.clear()
        self.accesses.at_ms = at_ms
        batch = Batch()
        for account in dict.fromkeys(self._judge(arrival, at_ms, batch) for arrival in arrivals):
            if account is not None:
                self.memory.forget(account, at_ms)
        batch.events += self.accesses.drain()
        return batch

    def unfinished(self) -> list[Pinned]:
        """Return the outcomes an earlier life pinned, in order."""
        return sorted(self.memory.pinned(), key=lambda found: found[1].sequence)

    def open_keys(self, pinned: Sequence[Pinned], now_ms: int) -> None:
        """Open what pinned outcomes are signed with, however long that takes.

        Raises ``CustodyError``, and ``StageHalted`` for a key that is another by now.
        """
        self.accesses.at_ms = now_ms
        for _, live in pinned:
            if isinstance(live.pinned, TransactionSigned | MessageSigned):
                self._pinned_key(live.pinned, live)

    def recover(self, pinned: Sequence[Pinned], now_ms: int) -> Batch:
        """Return the outcomes an earlier life pinned as a batch; charges count from now."""
        for _, live in pinned:
            if isinstance(live.pinned, TransactionSigned):
                account = self.memory.account(live.account).recharged(live.pinned, now_ms)
                self.memory.set_account(account)
        return Batch(self.accesses.drain(), list(pinned))

    def sign(self, batch: Batch) -> list[Outgoing]:
        """Make every outcome of a batch exactly as it was pinned and mark it done."""
        events: list[Outgoing] = []
        for key, live in batch.pinned:
            events += self._outcome(live)
            self.memory.set_live(key, live.done())
        return events

    def _judge(self, arrival: Arrival, at_ms: int, batch: Batch) -> str | None:
        try:
            intent, agent, name = self._authenticate(arrival.clearance)
        except (Malformed, AgentUnknown, SignatureWrong) as error:
            named = input_digest(arrival.clearance.encode())
            batch.events.append(self._audit("record.refused", arrival, at_ms, named, str(error)))
            return None
        case = self._case(intent, agent, name, arrival.clearance, at_ms)
        judged = self._authorize(case)
        if isinstance(judged, Duplicate):
            batch.events.append(self._audit("intent.duplicate", arrival, at_ms, name, name))
        else:
            batch.pinned.append((self._remember(judged, case.facts), judged.live))
        return intent.account

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
        if (problem := self._problem(key, case)) is None:
            return judged
        shut = replace(case, facts=replace(case.facts, key_problem=problem))
        return authorize(shut, account, self.identity.keyid)

    def _authenticate(self, clearance: Clearance) -> tuple[AnyIntent, AgentSet, str]:
        """Trust nothing but the agent's own signature over the intent's bytes.

        A clearance that names another intent than it carries is a forgery too.
        """
        body = clearance.envelope.body()
        intent = decode_intent(body)
        agent = self.registry.agent_of(intent)
        open_envelope(clearance.envelope, INTENT_TYPE, agent.public_key)
        name = intent_digest(body)
        if clearance.intent != name:
            raise Malformed("intent", "not the digest of the intent in the envelope")
        return intent, agent, name

    def _case(
        self, intent: AnyIntent, agent: AgentSet, name: str, clearance: Clearance, at_ms: int
    ) -> Case:
        registry, memory = self.registry, self.memory
        report, problem = judge_report(clearance.simulation, registry, intent, name)
        owner = memory.live(intent.account, owner_key(intent.agent, intent.idempotency_key))
        earlier = memory.live(intent.account, name)
        # The key may be another intent's by now: that says nothing of this one.
        remembered = earlier is not None or (owner is not None and owner.intent == name)
        forgotten = not remembered and self._may_be_forgotten(intent, at_ms)
        facts = Facts(
            at_ms=at_ms,
            agent=agent,
            grants=registry.access.get(agent.agent, ()),
            settings=registry.settings,
            chain=registry.chains.get(intent.chain_id),
            simulation=report,
            simulation_problem=problem,
            key=self.keys.find(intent.account, intent.key_path),
            key_problem=None,
            owner=owner,
            earlier=earlier,
            decided_before=forgotten and self.decided_before(name),
            boot=self.boot,
        )
        return Case(intent, name, registry.policies.get(agent.policy_id), facts)

    def _may_be_forgotten(self, intent: AnyIntent, at_ms: int) -> bool:
        """Tell whether an intent without a record may have been decided nevertheless."""
        if not 0 < intent.expires_at_ms - at_ms <= EXPIRY_MS_MAX:
            return True
        return self.memory.live(intent.account, far_key(intent.expires_at_ms)) is not None

    def _note_refused(self, judged: Refusal | Duplicate, key: KeyDescriptor) -> None:
        live = judged.live if isinstance(judged, Refusal) else None
        if live is None or not isinstance(live.pinned, IntentRejected):
            return
        if live.pinned.reason is Reason.KEY_NOT_GRANTED:
            self.accesses.refuse(self.registry.org, key, Asked(live.agent, live.intent))

    def _problem(self, key: KeyDescriptor, case: Case) -> Reason | None:
        """Return why a key does not open for an intent; None once it is open.

        One whose holders failed is not tried again in a batch: each try may take their whole time,
        and everybody else waits for it.
        """
        intent, place = case.intent, (key.account, key.path, key.version)
        if place in self._shut:
            return Reason.KEY_UNAVAILABLE
        try:
            self._use(key, Asked(intent.agent, case.digest), intent.client_share)
        except ClientShareMissingError:
            return Reason.CLIENT_SHARE_MISSING
        except CorruptError:
            return Reason.CLIENT_SHARE_WRONG if intent.client_share else Reason.KEY_UNAVAILABLE
        except CustodyError:
            self._shut.add(place)
            return Reason.KEY_UNAVAILABLE
        return None

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

    def _use(self, key: KeyDescriptor, asked: Asked, share: ClientShare | None) -> DigestSigner:
        with self.accesses.watching(self.registry.org, key, asked):
            return self.use_key(key) if share is None else self.use_shared(key, asked.agent, share)

    def _pinned_key(self, draft: Draft, live: LiveIntent) -> DigestSigner:
        key = self.keys.version(draft.account, draft.key_path, draft.key_version)
        if key is None or key.address != draft.sender:
            raise StageHalted(f"the key at {draft.key_path} is not the one that was pinned")
        return self._use(key, Asked(draft.agent, live.intent), live.client_share)

    def _audit(
        self, action: AuditAction, arrival: Arrival, at_ms: int, subject: str, detail: str
    ) -> Outgoing:
        actor = self.identity.keyid
        return audited(action, arrival.source, subject, detail, actor=actor, at_ms=at_ms)
