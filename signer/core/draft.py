"""Drafts: the unsigned outcomes of intents that passed every rule."""

from typing import Any, TypeAlias

from schemas.canonical import event_id
from schemas.intents.intent import (
    AuthorizationIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
)
from schemas.intents.outcome import MessageSigned, TransactionSigned
from signer.core.account import Account
from signer.core.case import Case
from signer.core.ethereum.authorization import authorization_hash
from signer.core.ethereum.transaction import TxType
from signer.core.fees import ResolvedFees, resolve_fees
from signer.core.key_ref import KeyRef
from signer.core.rules.decision import Signable
from signer.core.rules.signing import nonce_next
from signer.core.rules.simulation import usable_report
from signer.core.transactions import GAS_PRICED, authorization_of, type_of

MessageKind: TypeAlias = MessageIntent | TypedDataIntent | AuthorizationIntent


def draft(
    case: Case, account: Account, signer: str, read: Signable | None
) -> TransactionSigned | MessageSigned:
    """Return the unsigned outcome of an intent that all rules passed; it names ``signer``.

    ``read`` is what the message's rule judged; exactly that is signed.
    """
    if isinstance(case.intent, TransactionIntent):
        return _transaction(case, case.intent, account, signer)
    return _message(case, case.intent, account, signer, read)


def common_fields(case: Case, account: Account, signer: str) -> dict[str, Any]:
    """Return the fields that outcomes of all kinds share."""
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
        "boot": case.facts.boot,
        "chain_id": intent.chain_id,
    }


def _transaction(
    case: Case, intent: TransactionIntent, account: Account, signer: str
) -> TransactionSigned:
    """Build a transaction; the signing rule has checked that key and fees exist."""
    facts = case.facts
    key, fees = _key(case), resolve_fees(intent, usable_report(facts), facts.chain)
    if fees is None:
        raise LookupError("fees are missing after the signing rule passed")
    nonce = intent.nonce
    if nonce is None:
        nonce = nonce_next(intent, account, key, facts)
    return TransactionSigned(
        **common_fields(case, account, signer),
        **_key_fields(key),
        **_fees(type_of(intent), fees),
        nonce=nonce,
        to=intent.to,
        value_wei=intent.value_wei,
        data=intent.data,
        access_list=intent.access_list,
        max_fee_per_blob_gas_wei=intent.max_fee_per_blob_gas_wei,
        blob_versioned_hashes=intent.blob_versioned_hashes,
        authorization_list=intent.authorization_list,
        spent_wei=intent.value_wei,
        day_spent_wei=account.spent_wei(facts.at_ms) + intent.value_wei,
    )


def _fees(tx_type: int, fees: ResolvedFees) -> dict[str, Any]:
    per_gas = (
        {"gas_price_wei": fees.fee_per_gas_wei}
        if tx_type in GAS_PRICED
        else {
            "max_fee_per_gas_wei": fees.fee_per_gas_wei,
            "max_priority_fee_per_gas_wei": fees.priority_fee_per_gas_wei,
        }
    )
    return per_gas | {
        "tx_type": None if tx_type == TxType.FEE_MARKET else int(tx_type),
        "gas_limit": fees.gas_limit,
        "gas_from": fees.gas_from,
        "fees_from": fees.fees_from,
    }


def _message(
    case: Case, intent: MessageKind, account: Account, signer: str, read: Signable | None
) -> MessageSigned:
    key = _key(case)
    if isinstance(intent, AuthorizationIntent):
        nonce = intent.nonce
        if nonce is None:
            nonce = account.next_nonce(key.address, intent.chain_id)
        read = delegation(intent, nonce)
    if read is None:
        raise LookupError("the digest to sign is missing after the message's rule passed")
    return MessageSigned(
        **common_fields(case, account, signer),
        **_key_fields(key),
        kind=intent.kind,
        signed_digest=f"0x{read.digest.hex()}",
        **read.about,
    )


def delegation(intent: AuthorizationIntent, nonce: int) -> Signable:
    """Return the digest to sign for a delegation with an allocated nonce."""
    about = {"delegate": intent.delegate, "nonce": nonce}
    return Signable(authorization_hash(authorization_of(intent, nonce)), about)


def _key(case: Case) -> KeyRef:
    if case.facts.key is None:
        raise LookupError("the key is missing after the signing rule passed")
    return case.facts.key


def _key_fields(key: KeyRef) -> dict[str, Any]:
    return {"sender": key.address, "key_path": key.path, "key_version": key.version}
