"""The decision on one intent: allocation with nonce and fees, refusal, or duplicate. Pure."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from schemas.fields import TEXT_MAX
from schemas.intents.intent import EXPIRY_MS_MAX, AnyIntent, TransactionIntent, request_digest
from schemas.intents.outcome import IntentRejected, MessageSigned, TransactionSigned
from schemas.intents.reasons import Gate, Reason
from signer.core.account import Account, LiveIntent
from signer.core.case import Case, internal_error, run_rules
from signer.core.draft import common_fields, draft
from signer.core.ethereum.validation import first_problem
from signer.core.rules.admission import is_over_rate
from signer.core.rules.decision import Rejected, Signable, invalid
from signer.core.transactions import transaction_of
from signer.core.window import MINUTE_MS


@dataclass(frozen=True, slots=True)
class Allocation:
    """The intent may be signed; ``live`` pins its charge, nonce and unsigned bytes."""

    account: Account
    live: LiveIntent


@dataclass(frozen=True, slots=True)
class Refusal:
    """The intent is refused finally; it counts in the agent's rate and charges nothing else.

    ``over_rate`` if the agent was over its rate, whatever the reason of the refusal: such an intent
    is soon remembered by a marker only, and owns no idempotency key.
    """

    account: Account
    live: LiveIntent
    over_rate: bool


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The intent shares the outcome of ``intent``, pinned or published; there is no second.

    ``intent`` is its own digest if the same intent came before, and that of the first intent if it
    repeats the request of another one. ``extended`` is the first intent's record if it must be kept
    longer.
    """

    intent: str
    extended: LiveIntent | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """The first gate that rejects, and why."""

    gate: Gate
    rejected: Rejected


Draft: TypeAlias = TransactionSigned | MessageSigned
Judgement: TypeAlias = Allocation | Refusal | Duplicate


def authorize(case: Case, account: Account, signer: str) -> Judgement:
    """Decide an intent on complete facts; the outcome names ``signer``.

    1. A duplicate, or a repetition of the request, gets no second outcome.
    2. Every rule runs on the exact intent; the first rejection refuses it.
    3. The transaction is built and must satisfy the protocol's rules.

    An exception in step 2 or 3 refuses the intent too.
    """
    # 1.
    if duplicate := _duplicate(case):
        return duplicate
    judged = account.decided(case.intent.agent, case.facts.at_ms)
    found = _find(case, account, signer)
    remember_ms = case.facts.settings.remember_ms
    if isinstance(found, Finding):
        over_rate = found.rejected.reason is Reason.RATE_EXCEEDED or (
            case.policy is not None and is_over_rate(case.policy.policy, account, case.facts)
        )
        refusal = _refusal(case, account, signer, found)
        # An agent can send any number of intents over its rate.
        live = _live(case, refusal, MINUTE_MS if over_rate else remember_ms)
        return Refusal(judged, live, over_rate)
    return Allocation(judged.charged(found), _live(case, found, remember_ms))


def _duplicate(case: Case) -> Duplicate | None:
    facts, owner, expires_at_ms = case.facts, case.facts.owner, case.intent.expires_at_ms
    same_key = owner is not None and owner.intent == case.digest
    if same_key or facts.earlier is not None or facts.decided_before:
        return Duplicate(case.digest)
    # The first record is kept until the repetition expires, so a far expiry is refused by its rule:
    # it would let an agent decide how long the signer remembers.
    if owner is None or expires_at_ms - facts.at_ms > EXPIRY_MS_MAX:
        return None
    # Records of older program versions lack the request: only identical intents repeat them.
    if owner.request != request_digest(case.intent):
        return None
    late = expires_at_ms > owner.forget_at_ms
    return Duplicate(owner.intent, owner.kept_until(expires_at_ms) if late else None)


def _find(case: Case, account: Account, signer: str) -> Finding | Draft:
    read: Signable | None = None
    # 2.
    for gate, decision in run_rules(case, account, Gate):
        if isinstance(decision, Rejected):
            return Finding(gate, decision)
        read = decision.signable or read
    # 3.
    try:
        return _valid(draft(case, account, signer, read))
    except Exception as error:  # noqa: BLE001 - fail closed: refuse what cannot be built
        return Finding(Gate.SIGNING, internal_error(error))


def _valid(drafted: Draft) -> Draft | Finding:
    if not isinstance(drafted, TransactionSigned):
        return drafted
    problem = first_problem(transaction_of(drafted))
    return Finding(Gate.SIGNING, invalid(problem)) if problem else drafted


def _refusal(case: Case, account: Account, signer: str, finding: Finding) -> IntentRejected:
    rejected = finding.rejected
    return IntentRejected(
        **common_fields(case, account, signer),
        **_asked(case.intent),
        gate=finding.gate,
        reason=rejected.reason,
        detail=rejected.detail[:TEXT_MAX],
        evidence=rejected.evidence or None,
    )


def _asked(intent: AnyIntent) -> dict[str, Any]:
    if isinstance(intent, TransactionIntent):
        return {"to": intent.to, "value_wei": intent.value_wei}
    return {"kind": intent.kind}


def _live(case: Case, drafted: Draft | IntentRejected, remember_ms: int) -> LiveIntent:
    return LiveIntent(
        account=case.intent.account,
        intent=case.digest,
        request=request_digest(case.intent),
        agent=case.intent.agent,
        idempotency_key=case.intent.idempotency_key,
        expires_at_ms=case.intent.expires_at_ms,
        decided_at_ms=drafted.decided_at_ms,
        forget_at_ms=drafted.decided_at_ms + remember_ms,
        sequence=drafted.sequence,
        pinned=drafted,
        client_share=None if isinstance(drafted, IntentRejected) else case.intent.client_share,
    )
