"""Builds the case of an intent: authenticates it and adds registered and remembered facts."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.intents.clearance import Clearance
from schemas.intents.intent import EXPIRY_MS_MAX, AnyIntent
from signer.core.account import far_key, owner_key
from signer.core.authentication import authenticate
from signer.core.case import Authentic, Case, gate_case
from signer.core.key_ref import FindKey
from signer.core.registry.registry import Registry
from signer.core.rules.decision import Facts
from signer.stage.memory import Memory


@dataclass(slots=True)
class CaseBuilder:
    """Turns clearances into cases.

    ``decided_before`` queries the ledger for an outcome that the memory may have forgotten.
    ``boot`` is the id of this boot.
    """

    registry: Registry
    find_key: FindKey
    memory: Memory
    decided_before: Callable[[str], bool]
    boot: str | None = None

    def authenticate(self, clearance: Clearance) -> Authentic:
        """Authenticate the intent in a clearance as ``authenticate`` does; trust nothing else.

        Raises ``MalformedError`` also if the clearance names another digest than its intent's.
        """
        authentic = authenticate(clearance.envelope, self.registry)
        if clearance.intent != authentic.digest:
            raise MalformedError("intent", "not the digest of the intent in the envelope")
        return authentic

    def case(self, authentic: Authentic, simulation: Envelope | None, at_ms: int) -> Case:
        """Return an intent with all facts that the rules need, at a time in ms.

        ``simulation`` is the report in its clearance. May call ``decided_before`` and raises its
        errors.
        """
        intent, _, digest = authentic
        memory = self.memory
        owner = memory.live(intent.account, owner_key(intent.agent, intent.idempotency_key))
        earlier = memory.live(intent.account, digest)
        # Another intent may own the idempotency key since the record of this one was forgotten.
        remembered = earlier is not None or (owner is not None and owner.intent == digest)
        forgotten = not remembered and self._may_be_forgotten(intent, at_ms)
        known = gate_case(authentic, self.registry, self.find_key, simulation, at_ms)
        facts = Facts.remembered(
            known.facts,
            owner=owner,
            earlier=earlier,
            decided_before=forgotten and self.decided_before(digest),
            boot=self.boot,
        )
        return Case(intent, digest, known.policy, facts)

    def _may_be_forgotten(self, intent: AnyIntent, at_ms: int) -> bool:
        """Return whether an intent without a record may have been decided before."""
        if not 0 < intent.expires_at_ms - at_ms <= EXPIRY_MS_MAX:
            return True
        # A record is kept for at least 24 h and until every repetition expires, so without a record
        # this intent was never decided and repeats nothing. The exception is ``expiry_too_far``,
        # which leaves a marker.
        return self.memory.live(intent.account, far_key(intent.expires_at_ms)) is not None
