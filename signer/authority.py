"""The decision: may exactly this intent be signed, now, and with which nonce and fees?"""

from dataclasses import dataclass
from typing import Any, TypeAlias

from schemas.canonical import event_id
from schemas.clearance import Gate
from schemas.fields import TEXT_MAX
from schemas.intent import EXPIRY_MS_MAX
from schemas.outcome import IntentRejected, TransactionSigned
from schemas.reasons import Reason
from signer.account import Account, LiveIntent
from signer.case import Case, apply_rule, internal_error
from signer.ethereum.transaction import FeeMarketTransaction
from signer.ethereum.validation import first_problem
from signer.fees import ResolvedFees, resolve
from signer.keys import KeyDescriptor
from signer.rules import RULES
from signer.rules.decision import Rejected
from signer.rules.signing import nonce_next
from signer.rules.simulation import estimate


@dataclass(frozen=True, slots=True)
class Allocation:
    """The intent may be signed: its charge, nonce and unsigned bytes are pinned in ``live``."""

    account: Account
    live: LiveIntent


@dataclass(frozen=True, slots=True)
class Refusal:
    """The intent is refused for ever; nothing is charged but its place in the rate."""

    account: Account
    live: LiveIntent


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The intent has its outcome, or will have it; there is no second."""

    intent: str


@dataclass(frozen=True, slots=True)
class Finding:
    """The first gate that refuses, and why."""

    gate: Gate
    rejected: Rejected


Judgement: TypeAlias = Allocation | Refusal | Duplicate


def authorize(case: Case, account: Account, signer: str) -> Judgement:
    """Judge an intent against everything that can be computed; the outcome names ``signer``.

    1. A repetition gets nothing. 2. Every rule runs on the exact intent; the first finding
    refuses. 3. The transaction is built and must keep the protocol's own rules. An exception
    in any of them refuses too.
    """
    if _repeated(case):
        return Duplicate(case.digest)
    judged = account.judged(case.intent.agent, case.facts.at_ms)
    found = _find(case, account, signer)
    if isinstance(found, Finding):
        return Refusal(judged, _live(case, _refusal(case, account, signer, found)))
    return Allocation(judged.charged(found), _live(case, found))


def transaction_of(draft: TransactionSigned) -> FeeMarketTransaction:
    """Return the transaction that an allocation pins: the same one every time."""
    return FeeMarketTransaction(
        chain_id=draft.chain_id,
        nonce=draft.nonce,
        max_priority_fee_per_gas_wei=draft.max_priority_fee_per_gas_wei,
        max_fee_per_gas_wei=draft.max_fee_per_gas_wei,
        gas_limit=draft.gas_limit,
        to=bytes.fromhex(draft.to[2:]) if draft.to else None,
        value_wei=draft.value_wei,
        data=bytes.fromhex(draft.data[2:]),
    )


def _repeated(case: Case) -> bool:
    facts = case.facts
    same_key = facts.owner is not None and facts.owner.intent == case.digest
    return same_key or facts.earlier is not None or facts.decided_before


def _find(case: Case, account: Account, signer: str) -> Finding | TransactionSigned:
    for gate, rule in RULES:
        decision = apply_rule(rule, case, account)
        if isinstance(decision, Rejected):
            return Finding(gate, decision)
    try:
        return _valid(_draft(case, account, signer))
    except Exception as error:  # noqa: BLE001 - promise 5: what cannot be built is refused
        return Finding(Gate.SIGNING, internal_error(error))


def _draft(case: Case, account: Account, signer: str) -> TransactionSigned:
    """Build the unsigned outcome; the signing rule has seen to it that key and fees are there."""
    intent, facts = case.intent, case.facts
    key, fees = facts.key, resolve(intent, estimate(facts), facts.chain)
    if key is None or fees is None:
        raise LookupError("a key or fees are missing after the signing rule passed")
    nonce = intent.nonce
    if nonce is None:
        nonce = nonce_next(intent, account, key, facts)
    return TransactionSigned(
        **_common(case, account, signer),
        **_terms(key, fees),
        nonce=nonce,
        spent_wei=intent.value_wei,
        day_spent_wei=account.spent_wei(facts.at_ms) + intent.value_wei,
        data=intent.data,
    )


def _terms(key: KeyDescriptor, fees: ResolvedFees) -> dict[str, Any]:
    return {
        "sender": key.address,
        "key_path": key.path,
        "key_version": key.version,
        "gas_limit": fees.gas_limit,
        "max_fee_per_gas_wei": fees.max_fee_per_gas_wei,
        "max_priority_fee_per_gas_wei": fees.max_priority_fee_per_gas_wei,
        "gas_from": fees.gas_from,
        "fees_from": fees.fees_from,
    }


def _common(case: Case, account: Account, signer: str) -> dict[str, Any]:
    intent = case.intent
    return {
        "id": event_id("outcome", case.digest),
        "org": intent.org,
        "account": intent.account,
        "agent": intent.agent,
        "intent": case.digest,
        "idempotency_key": intent.idempotency_key,
        "sequence": account.sequence + 1,
        "decided_at_ms": case.facts.at_ms,
        "policy": case.policy.digest if case.policy else None,
        "signer": signer,
        "chain_id": intent.chain_id,
        "to": intent.to,
        "value_wei": intent.value_wei,
    }


def _valid(draft: TransactionSigned) -> TransactionSigned | Finding:
    problem = first_problem(transaction_of(draft))
    if problem is None:
        return draft
    detail = f"{problem.code}: {problem.detail}"
    return Finding(Gate.SIGNING, Rejected(Reason.INVALID_TRANSACTION, detail))


def _refusal(case: Case, account: Account, signer: str, finding: Finding) -> IntentRejected:
    rejected = finding.rejected
    return IntentRejected(
        **_common(case, account, signer),
        gate=finding.gate,
        reason=rejected.reason,
        detail=rejected.detail[:TEXT_MAX],
        evidence=rejected.evidence or None,
    )


def _live(case: Case, draft: TransactionSigned | IntentRejected) -> LiveIntent:
    return LiveIntent(
        account=case.intent.account,
        intent=case.digest,
        agent=case.intent.agent,
        idempotency_key=case.intent.idempotency_key,
        expires_at_ms=case.intent.expires_at_ms,
        decided_at_ms=draft.decided_at_ms,
        forget_at_ms=draft.decided_at_ms + EXPIRY_MS_MAX,
        sequence=draft.sequence,
        pinned=draft,
    )
