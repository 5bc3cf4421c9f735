"""What is known of an intent when it is judged: its signer, what is registered and remembered."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from schemas.canonical import Malformed
from schemas.clearance import Clearance
from schemas.dsse import INTENT_TYPE, Envelope
from schemas.intent import EXPIRY_MS_MAX, AnyIntent, decode_intent, intent_digest
from signer.account import far_key, owner_key
from signer.case import Authentic, Case, registered_case
from signer.evidence import judge_report
from signer.keys.register import KeyRegister
from signer.memory import Memory
from signer.registry import Registry
from signer.signatures import open_envelope


@dataclass(slots=True)
class Casework:
    """Makes a case of each clearance.

    ``decided_before`` tells whether an intent has an outcome that the memory may have forgotten;
    ``boot`` is this life of the signer.
    """

    registry: Registry
    keys: KeyRegister
    memory: Memory
    decided_before: Callable[[str], bool]
    boot: str | None = None

    def authenticate(self, clearance: Clearance) -> Authentic:
        """Trust nothing but the agent's own signature over the intent's bytes.

        A clearance that names another intent than it carries is a forgery too. Raises
        ``Malformed``, ``AgentUnknown``, ``SignatureWrong``.
        """
        body = clearance.envelope.body()
        intent = decode_intent(body)
        agent = self.registry.agent_of(intent)
        open_envelope(clearance.envelope, INTENT_TYPE, agent.public_key)
        digest = intent_digest(body)
        if clearance.intent != digest:
            raise Malformed("intent", "not the digest of the intent in the envelope")
        return Authentic(intent, agent, digest)

    def case(self, authentic: Authentic, simulation: Envelope | None, at_ms: int) -> Case:
        """Return an intent with all that the rules ask about, at a time in ms.

        ``simulation`` is its clearance's. May ask ``decided_before``, and raises what that raises.
        """
        intent, _, digest = authentic
        memory = self.memory
        report, problem = judge_report(simulation, self.registry, intent, digest)
        owner = memory.live(intent.account, owner_key(intent.agent, intent.idempotency_key))
        earlier = memory.live(intent.account, digest)
        # The key may be another intent's by now: that says nothing of this one.
        remembered = earlier is not None or (owner is not None and owner.intent == digest)
        forgotten = not remembered and self._may_be_forgotten(intent, at_ms)
        case = registered_case(authentic, self.registry, self.keys, at_ms)
        facts = replace(
            case.facts,
            simulation=report,
            simulation_problem=problem,
            key_problem=None,
            owner=owner,
            earlier=earlier,
            decided_before=forgotten and self.decided_before(digest),
            boot=self.boot,
        )
        return replace(case, facts=facts)

    def _may_be_forgotten(self, intent: AnyIntent, at_ms: int) -> bool:
        """Tell whether an intent without a record may have been decided nevertheless."""
        if not 0 < intent.expires_at_ms - at_ms <= EXPIRY_MS_MAX:
            return True
        return self.memory.live(intent.account, far_key(intent.expires_at_ms)) is not None
