"""A transaction's reply says what was asked, what was signed and why something was refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.intents.intent import AnyIntent, MessageIntent, TransactionIntent
from schemas.intents.outcome import AnyOutcome, IntentRejected, MessageSigned, TransactionSigned
from schemas.intents.reasons import Gate, Reason
from signer.core.ethereum.address import parse_address
from sixgate.gateway.transaction_view import SIGNED_MEMBERS, status_of, transaction_view
from tests.harness.builders.models import values_of

INTENT_ID = "0x" + "ab" * 32
SENDER, RECIPIENT = "0x" + "aa" * 20, "0x" + "bb" * 20
INTENT = TransactionIntent(
    mode="submit",
    org="acme",
    account="main",
    agent="trader",
    chain_id=8453,
    key_path="keys/base-signer",
    idempotency_key="pay-1",
    expires_at_ms=1_800_000_000_000,
    to=RECIPIENT,
    value_wei=5 * 10**17,
    data="0x",
    simulate_first=True,
)
COMMON: dict[str, Any] = {
    "id": "0x" + "01" * 32,
    "signer": "signer-0",
    "org": "acme",
    "account": "main",
    "agent": "trader",
    "intent": INTENT_ID,
    "idempotency_key": "pay-1",
    "sequence": 1,
    "decided_at_ms": 1_790_000_000_500,
    "chain_id": 8453,
}
SIGNED = TransactionSigned(
    **COMMON,
    sender=SENDER,
    key_path="keys/base-signer",
    key_version=1,
    to=RECIPIENT,
    value_wei=5 * 10**17,
    data="0x",
    nonce=7,
    gas_limit=21_000,
    max_fee_per_gas_wei=30 * 10**9,
    max_priority_fee_per_gas_wei=10**9,
    gas_from="simulation",
    fees_from="chain-defaults",
    spent_wei=5 * 10**17,
    day_spent_wei=5 * 10**17,
    transaction_hash="0x" + "cd" * 32,
    raw_transaction="0x02f8",
)
intents = st.one_of(values_of(TransactionIntent), values_of(MessageIntent))
outcomes = st.one_of(
    values_of(TransactionSigned), values_of(MessageSigned), values_of(IntentRejected)
)


def rejected(reason: Reason, gate: Gate = Gate.SIMULATION) -> IntentRejected:
    return IntentRejected(
        **COMMON, to=RECIPIENT, value_wei=5 * 10**17, gate=gate, reason=reason, detail="Too much."
    )


def reply_of(
    outcome: AnyOutcome | None, intent: AnyIntent | None = INTENT, *, include_signed_tx: bool = True
) -> dict[str, Any]:
    reply = transaction_view(
        intent,
        outcome,
        "base",
        intent_id=INTENT_ID,
        created_at_ms=1_790_000_000_000,
        include_signed_tx=include_signed_tx,
    )
    return reply.model_dump()


def test_signed_transaction_has_every_documented_member() -> None:
    sender, recipient = checksummed(SENDER), checksummed(RECIPIENT)
    assert reply_of(SIGNED) == {
        "id": INTENT_ID,
        "tx_hash": "0x" + "cd" * 32,
        "chain": "base",
        "chain_id": 8453,
        "status": "signed",
        "broadcast": False,
        "agent_id": "trader",
        "from": sender,
        "to": recipient,
        "from_address": sender,
        "to_address": recipient,
        "value_wei": "500000000000000000",
        "value": "0.5",
        "data_hex": "0x",
        "nonce": 7,
        "gas_limit": 21_000,
        "gas_price": None,
        "max_fee_per_gas": "30000000000",
        "max_priority_fee_per_gas": "1000000000",
        "max_fee_per_blob_gas": None,
        "tx_type": 2,
        "intent_type": "transaction",
        "signing_key_path": "keys/base-signer",
        "created_at": "2026-09-21T14:13:20.000Z",
        "simulation_id": "sim_" + "ab" * 16,
        "simulation_status": "success",
        "gate": None,
        "reason": None,
        "detail": None,
        "error_message": None,
        "message_hash": None,
        "signature": None,
        "signed_tx": "0x02f8",
    }


def checksummed(address: str) -> str:
    """Return the mixed-case form whose checksum parses back to the address."""
    shown = reply_of(SIGNED)["from" if address == SENDER else "to"]
    assert shown != address
    assert "0x" + parse_address(shown).hex() == address
    return str(shown)


def test_signed_bytes_are_left_out_unless_asked_for() -> None:
    hidden = reply_of(SIGNED, include_signed_tx=False)
    assert {hidden[name] for name in SIGNED_MEMBERS} == {None}
    assert hidden["tx_hash"] == SIGNED.transaction_hash


def test_pending_intent_shows_what_was_asked() -> None:
    reply = reply_of(None)
    assert (reply["status"], reply["value"], reply["from"]) == ("pending", "0.5", None)
    assert (reply["signed_tx"], reply["simulation_status"]) == (None, None)


@pytest.mark.parametrize(
    ("reason", "status", "simulated"),
    [
        (Reason.SIMULATION_REVERTED, "simulation_failed", "reverted"),
        (Reason.SIMULATION_FAILED, "simulation_failed", "failed"),
        (Reason.SIMULATION_MISSING, "refused", None),
        (Reason.VALUE_TOO_HIGH, "refused", None),
    ],
)
def test_refusal_names_its_reason_and_how_a_simulation_ended(
    reason: Reason, status: str, simulated: str | None
) -> None:
    reply = reply_of(rejected(reason))
    assert (reply["status"], reply["simulation_status"]) == (status, simulated)
    assert (reply["reason"], reply["detail"]) == (reason.value, "Too much.")
    assert reply["error_message"] == reply["detail"]
    assert (reply["simulation_id"] is None) == (simulated is None)


def test_intent_without_a_mode_is_sign_only() -> None:
    assert status_of(SIGNED, None) == "sign_only"
    assert status_of(SIGNED, "submit") == "signed"


def test_outcome_without_its_intent_is_enough_for_a_reply() -> None:
    reply = reply_of(SIGNED, None)
    assert (reply["status"], reply["nonce"], reply["value"]) == ("signed", 7, "0.5")


@given(intent=st.none() | intents, outcome=st.none() | outcomes, shown=st.booleans())
def test_every_intent_and_outcome_has_a_reply(intent: Any, outcome: Any, *, shown: bool) -> None:
    if intent is None and outcome is None:
        return
    reply = reply_of(outcome, intent, include_signed_tx=shown)
    assert reply["from"] == reply["from_address"]
    assert reply["to"] == reply["to_address"]
    assert (reply["status"] == "pending") == (outcome is None)
    assert shown or not any(reply[name] for name in SIGNED_MEMBERS)
