"""One intent and its outcome as the HTTP API shows them. Pure."""

from typing import Any, Literal

from schemas.intents.intent import AnyIntent, TransactionIntent
from schemas.intents.money import wei_to_eth
from schemas.intents.outcome import AnyOutcome, IntentRejected, MessageSigned, TransactionSigned
from schemas.intents.reasons import Gate, Reason
from signer.core.ethereum.address import checksum_address
from signer.core.transactions import type_of
from sixgate.api.models.base import timestamp
from sixgate.api.models.transactions import (
    SimulationStatus,
    TransactionReply,
    TransactionStatus,
)

SIGNED_MEMBERS = ("signature", "signed_tx")
"""What reads leave out by default: whoever has it can send the transaction."""
_SIMULATED: dict[Reason, SimulationStatus] = {
    Reason.SIMULATION_REVERTED: "reverted",
    Reason.SIMULATION_FAILED: "failed",
}
_FEES = {
    "gas_price": "gas_price_wei",
    "max_fee_per_gas": "max_fee_per_gas_wei",
    "max_priority_fee_per_gas": "max_priority_fee_per_gas_wei",
    "max_fee_per_blob_gas": "max_fee_per_blob_gas_wei",
}
_TX_TYPE_DEFAULT = 2  # of an outcome that names none
BYTES_GONE = (
    "This was signed, and it counts, but the signed bytes are gone: the log keeps outcomes for a "
    "limited time. The hash identifies it on the chain."
)


def status_of(outcome: AnyOutcome | None, mode: Literal["submit"] | None) -> TransactionStatus:
    """Return the status of an intent with this outcome, or none yet; ``mode`` is the intent's."""
    if outcome is None:
        return "pending"
    if isinstance(outcome, IntentRejected):
        return "simulation_failed" if outcome.reason in _SIMULATED else "refused"
    return "sign_only" if mode is None and isinstance(outcome, TransactionSigned) else "signed"


def simulation_id(intent_id: str) -> str:
    """Return the id of an intent's simulation; an intent has at most one that counts."""
    return f"sim_{intent_id[2:34]}"


def transaction_view(
    intent: AnyIntent | None,
    outcome: AnyOutcome | None,
    chain_name: str,
    *,
    intent_id: str,
    created_at_ms: int,
    include_signed_tx: bool,
) -> TransactionReply:
    """Return the reply about an intent.

    Without an outcome it is pending. Without an intent (the log keeps outcomes longer) the reply
    has what the outcome says. Raises ``ValueError`` without both.
    """
    known = intent or outcome
    if known is None:
        raise ValueError("a view needs an intent or an outcome")
    simulated = _simulation(intent, outcome)
    # Without the intent its mode is unknown, and "signed" promises less than "sign_only".
    mode = intent.mode if intent else "submit"
    members: dict[str, Any] = {
        "id": intent_id,
        "chain": chain_name,
        "chain_id": known.chain_id,
        "status": status_of(outcome, mode),
        "agent_id": known.agent,
        "intent_type": _kind(intent, outcome),
        "created_at": timestamp(created_at_ms),
        "simulation_id": simulation_id(intent_id) if simulated else None,
        "simulation_status": simulated,
        "signing_key_path": getattr(known, "key_path", None),
    }
    for source in (intent, outcome):  # what was signed replaces what was asked for
        if source is not None:
            members |= _content(source)
    members |= _end(outcome)
    if not include_signed_tx:
        members |= dict.fromkeys(SIGNED_MEMBERS)
    return TransactionReply.model_validate(members)


def _kind(intent: AnyIntent | None, outcome: AnyOutcome | None) -> str:
    return intent.kind if intent else getattr(outcome, "kind", None) or "transaction"


def _content(source: AnyIntent | AnyOutcome) -> dict[str, Any]:
    """Return the members that intents and outcomes have in common, without absent ones."""
    value_wei = getattr(source, "value_wei", None)
    recipient = _address(getattr(source, "to", None))
    fees = {name: getattr(source, field, None) for name, field in _FEES.items()}
    members: dict[str, Any] = {
        "to": recipient,
        "to_address": recipient,
        "value_wei": None if value_wei is None else str(value_wei),
        "value": None if value_wei is None else wei_to_eth(value_wei),
        "data_hex": getattr(source, "data", None),
        "nonce": getattr(source, "nonce", None),
        "gas_limit": getattr(source, "gas_limit", None),
        "tx_type": _tx_type(source),
        **{name: None if fee is None else str(fee) for name, fee in fees.items()},
    }
    return {name: member for name, member in members.items() if member is not None}


def _tx_type(source: AnyIntent | AnyOutcome) -> int | None:
    match source:
        case TransactionIntent():
            return type_of(source)
        case TransactionSigned():
            return _TX_TYPE_DEFAULT if source.tx_type is None else source.tx_type
    return None


def _end(outcome: AnyOutcome | None) -> dict[str, Any]:
    match outcome:
        case TransactionSigned():
            signed = {"tx_hash": outcome.transaction_hash, "signed_tx": outcome.raw_transaction}
            return signed | _sender(outcome) | _gone(outcome.raw_transaction)
        case MessageSigned():
            signed = {
                "message_hash": outcome.signed_digest,
                "signature": outcome.message_signature,
            }
            return signed | _sender(outcome) | _gone(outcome.message_signature)
        case IntentRejected():
            return {
                "gate": outcome.gate.value,
                "reason": outcome.reason.value,
                "detail": outcome.detail,
                "error_message": outcome.detail,
            }
    return {}


def _gone(signed: str | None) -> dict[str, Any]:
    """Return the member that says that the signed bytes are gone; no member if they are there."""
    return {} if signed else {"detail": BYTES_GONE}


def _sender(outcome: TransactionSigned | MessageSigned) -> dict[str, Any]:
    return dict.fromkeys(("from", "from_address"), _address(outcome.sender))


def _address(address: str | None) -> str | None:
    return None if address is None else checksum_address(bytes.fromhex(address[2:]))


def _simulation(intent: AnyIntent | None, outcome: AnyOutcome | None) -> SimulationStatus | None:
    """Return how the simulation ended, or None if there was none that the outcome depends on.

    A simulation that only the organisation's settings required leaves no trace in the outcome if
    the intent itself set gas and fees.
    """
    if isinstance(outcome, IntentRejected):
        if outcome.gate is Gate.SIGNING and getattr(intent, "simulate_first", False):
            return "success"  # signing comes after the simulation
        return _SIMULATED.get(outcome.reason)
    if isinstance(outcome, TransactionSigned):
        asked = isinstance(intent, TransactionIntent) and intent.simulate_first
        used = "simulation" in (outcome.gas_from, outcome.fees_from)
        return "success" if asked or used else None
    return None
