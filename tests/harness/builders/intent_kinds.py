"""Intents other than transfers (delegations, messages, typed data) and their outcomes."""

from typing import Any

from eth_account import Account as EthAccount

from schemas.intents.intent import AnyIntent, AuthorizationIntent
from schemas.intents.outcome import MessageSigned, TransactionSigned
from schemas.registry.policy import Policy, TypedDataDomain
from signer.core.account import Account
from signer.core.decide import Allocation, Draft
from signer.stage.sign import signed
from tests.harness.builders.cases import (
    ACCOUNT,
    BASE,
    COMMON,
    SECRET,
    STRANGER,
    case,
    policy,
)
from tests.harness.builders.ethereum import MemoryKey
from tests.harness.builders.signer_records import judge

FRESH = Account(account=ACCOUNT)


def delegation_by(secret: bytes, **changes: Any) -> dict[str, Any]:
    terms = {"chainId": BASE, "address": STRANGER, "nonce": 0} | changes
    made = EthAccount.from_key(secret).sign_authorization(terms)
    return {
        "chain_id": terms["chainId"], "address": terms["address"], "nonce": terms["nonce"],
        "y_parity": made.y_parity, "r": made.r, "s": made.s,
    }  # fmt: skip


def open_policy(**changes: Any) -> Policy:
    listed = TypedDataDomain(verifying_contract=STRANGER)
    allowed: dict[str, Any] = {
        "message_signing_enabled": True,
        "eip712_domain_allowlist": (listed,),
        "delegate_allowlist": (STRANGER,),
        "tx_max_fee_eth": "unlimited",
    }
    return policy(**(allowed | changes))


def delegation(**changes: Any) -> AuthorizationIntent:
    return AuthorizationIntent(**(COMMON | {"delegate": STRANGER, "nonce": 1} | changes))


def made(one: AnyIntent) -> Draft:
    """Return the outcome of an intent, signed with the key at its path."""
    judged = judge(case(one, open_policy()), FRESH)
    assert isinstance(judged, Allocation), judged
    draft = judged.live.pinned
    assert isinstance(draft, TransactionSigned | MessageSigned)
    return signed(draft, MemoryKey(SECRET))
