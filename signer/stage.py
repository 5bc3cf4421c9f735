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

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from schemas.audit import AuditAction, audited, input_digest
from schemas.canonical import Malformed
from schemas.clearance import Clearance
from schemas.dsse import INTENT_TYPE
from schemas.intent import EXPIRY_MS_MAX, Intent, intent_digest
from schemas.outcome import TransactionSigned
from schemas.record import Outgoing
from schemas.registry import AgentSet
from schemas.topics import Topic
from signer.account import LiveIntent, far_key, owner_key
from signer.authority import Allocation, Duplicate, Refusal, authorize, transaction_of
from signer.case import Case
from signer.custody.errors import CustodyError
from signer.ethereum.signing import DigestSigner, sign_transaction
from signer.evidence import judge_report
from signer.keys import KeyDescriptor, KeyRegister
from signer.memory import Memory
from signer.registry import AgentUnknown, Registry
from signer.rules.decision import Facts
from signer.signatures import Ed25519Signer, SignatureWrong, open_envelope

SIGNED_TOPICS = (Topic.OUTCOMES, Topic.SIGNED)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A clearance from the bus; ``source`` names its record as topic/partition/offset."""

    source: str
    clearance: Clearance


@dataclass(slots=True)
class Batch:
    """What one batch came to: events to publish now, and pinned outcomes to be signed.

    ``pinned`` holds records of the memory with their keys.
    """

    events: list[Outgoing] = field(default_factory=list)
    pinned: list[tuple[str, LiveIntent]] = field(default_factory=list)


class StageHalted(Exception):  # noqa: N818 - the process must end and somebody must look
    """An outcome cannot be signed as it was pinned; nothing may go on before it is."""


@dataclass(slots=True)
class SigningStage:
    """The sixth gate. Single-threaded: one writer decides, in order."""

    identity: Ed25519Signer
    registry: Registry
    keys: KeyRegister
    memory: Memory
    use_key: Callable[[KeyDescriptor], DigestSigner]
    decided_before: Callable[[str], bool]

    def allocate(self, arrivals: Iterable[Arrival], now_ms: int) -> Batch:
        """Judge clearances in order and pin their outcomes.

        Duplicates and refused records become events at once.
        """
        at_ms = max(now_ms, self.memory.slot.last_ms)
        self.memory.begin()
        batch = Batch()
        for account in dict.fromkeys(self._judge(arrival, at_ms, batch) for arrival in arrivals):
            if account is not None:
                self.memory.forget(account, at_ms)
        return batch

    def recover(self, now_ms: int) -> Batch:
        """Return the outcomes an earlier life pinned, in order; charges count from now."""
        batch = Batch(pinned=sorted(self.memory.pinned(), key=lambda found: found[1].sequence))
        for _, live in batch.pinned:
            if isinstance(live.pinned, TransactionSigned):
                account = self.memory.account(live.account).recharged(live.pinned, now_ms)
                self.memory.set_account(account)
        return batch

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
        judged = authorize(case, self.memory.account(intent.account), self.identity.keyid)
        if isinstance(judged, Duplicate):
            batch.events.append(self._audit("intent.duplicate", arrival, at_ms, name, name))
        else:
            batch.pinned.append((self._remember(judged, case.facts), judged.live))
        return intent.account

    def _authenticate(self, clearance: Clearance) -> tuple[Intent, AgentSet, str]:
        """Trust nothing but the agent's own signature over the intent's bytes.

        A clearance that names another intent than it carries is a forgery too.
        """
        body = clearance.envelope.body()
        intent = Intent.decode(body)
        agent = self.registry.agent_of(intent)
        open_envelope(clearance.envelope, INTENT_TYPE, agent.public_key)
        name = intent_digest(body)
        if clearance.intent != name:
            raise Malformed("intent", "not the digest of the intent in the envelope")
        return intent, agent, name

    def _case(
        self, intent: Intent, agent: AgentSet, name: str, clearance: Clearance, at_ms: int
    ) -> Case:
        registry, memory = self.registry, self.memory
        report, problem = judge_report(clearance.simulation, registry, intent, name)
        key = self.keys.find(intent.account, intent.key_path)
        owner = memory.live(intent.account, owner_key(intent.agent, intent.idempotency_key))
        earlier = memory.live(intent.account, name)
        # The key may be another intent's by now: that says nothing of this one.
        remembered = earlier is not None or (owner is not None and owner.intent == name)
        forgotten = not remembered and self._may_be_forgotten(intent, at_ms)
        facts = Facts(
            at_ms=at_ms,
            agent=agent,
            settings=registry.settings,
            chain=registry.chains.get(intent.chain_id),
            simulation=report,
            simulation_problem=problem,
            key=key,
            key_open=key is not None and self._opens(key),
            owner=owner,
            earlier=earlier,
            decided_before=forgotten and self.decided_before(name),
        )
        return Case(intent, name, registry.policies.get(agent.policy_id), facts)

    def _may_be_forgotten(self, intent: Intent, at_ms: int) -> bool:
        """Tell whether an intent without a record may have been decided nevertheless."""
        if not 0 < intent.expires_at_ms - at_ms <= EXPIRY_MS_MAX:
            return True
        return self.memory.live(intent.account, far_key(intent.expires_at_ms)) is not None

    def _opens(self, key: KeyDescriptor) -> bool:
        try:
            self.use_key(key)
        except CustodyError:
            return False
        return True

    def _remember(self, judged: Allocation | Refusal, facts: Facts) -> str:
        live = judged.live
        key = live.intent if facts.owner else owner_key(live.agent, live.idempotency_key)
        self.memory.set_account(judged.account)
        self.memory.set_live(key, live)
        return key

    def _outcome(self, live: LiveIntent) -> list[Outgoing]:
        draft = live.pinned
        if isinstance(draft, TransactionSigned):
            signed = self._signed(draft)
            return [Outgoing(topic, live.account, signed) for topic in SIGNED_TOPICS]
        if draft is None:
            return []
        return [Outgoing(Topic.OUTCOMES, live.account, self.identity.sign_event(draft))]

    def _signed(self, draft: TransactionSigned) -> bytes:
        key = self.keys.find(draft.account, draft.key_path)
        if key is None or (key.version, key.address) != (draft.key_version, draft.sender):
            raise StageHalted(f"the key at {draft.key_path} is not the one that was pinned")
        sender = bytes.fromhex(key.address[2:])
        made = sign_transaction(transaction_of(draft), self.use_key(key), sender)
        update = {
            "raw_transaction": f"0x{made.raw.hex()}",
            "transaction_hash": f"0x{made.hash.hex()}",
        }
        return self.identity.sign_event(draft.model_copy(update=update))

    def _audit(
        self, action: AuditAction, arrival: Arrival, at_ms: int, subject: str, detail: str
    ) -> Outgoing:
        actor = self.identity.keyid
        return audited(action, arrival.source, subject, detail, actor=actor, at_ms=at_ms)
