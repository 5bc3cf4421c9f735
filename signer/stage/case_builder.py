"""Case builder: completes what gates know about an intent with what the signer remembers."""

from collections.abc import Callable

from schemas.canonical import MalformedError
from schemas.intents.clearance import Clearance
from schemas.intents.intent import EXPIRY_MS_MAX, AnyIntent
from signer.core.account import far_key, over_rate_key, owner_key
from signer.core.authentication import authenticate
from signer.core.case import Authentic, Case, GateCase
from signer.core.registry.registry import Registry
from signer.core.rules.decision import Facts
from signer.stage.memory import Memory


def authenticate_clearance(clearance: Clearance, registry: Registry) -> Authentic:
    """Authenticate the intent in a clearance as ``authenticate`` does; trust nothing else.

    Raises ``MalformedError`` also if the clearance names another digest than its intent's.
    """
    authentic = authenticate(clearance.envelope, registry)
    if clearance.intent != authentic.digest:
        raise MalformedError("intent", "not the digest of the intent in the envelope")
    return authentic


def remembered_case(
    known: GateCase, memory: Memory, decided_before: Callable[[str], bool], boot: str | None
) -> Case:
    """Return an intent with all facts that the rules need.

    ``decided_before`` queries the ledger for an outcome that the memory may have forgotten; its
    errors are raised. ``boot`` is the id of this boot.
    """
    intent, digest = known.intent, known.digest
    owner = memory.live(intent.account, owner_key(intent.agent, intent.idempotency_key))
    earlier = memory.live(intent.account, digest)
    # Another intent may own the idempotency key since the record of this one was forgotten.
    remembered = earlier is not None or (owner is not None and owner.intent == digest)
    marker = memory.live(intent.account, over_rate_key(intent.agent, intent.expires_at_ms))
    forgotten = not remembered and (
        marker is not None or _may_be_forgotten(intent, memory, known.facts.at_ms)
    )
    facts = Facts.remembered(
        known.facts,
        owner=owner,
        earlier=earlier,
        decided_before=forgotten and decided_before(digest),
        has_marker=marker is not None,
        boot=boot,
    )
    return Case(intent, digest, known.policy, facts)


def _may_be_forgotten(intent: AnyIntent, memory: Memory, at_ms: int) -> bool:
    """Return whether an intent without a record may have been decided before."""
    if not 0 < intent.expires_at_ms - at_ms <= EXPIRY_MS_MAX:
        return True
    # A record is kept for at least 24 h and until every repetition expires, so without a record
    # this intent was never decided and repeats nothing. The exceptions leave markers:
    # ``expiry_too_far``, and refusals over the agent's rate.
    return memory.live(intent.account, far_key(intent.expires_at_ms)) is not None
