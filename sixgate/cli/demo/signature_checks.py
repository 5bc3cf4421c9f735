"""Signature checks of the demo: recovers senders and compares signed content with intents."""

import json
from typing import Final

from schemas.intent import (
    AnyIntent,
    AuthorizationIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
)
from schemas.outcome import TransactionSigned
from signer.drafts import delegation
from signer.ethereum.decoding import decode_signed, sender
from signer.ethereum.message_signing import V_OFFSET
from signer.ethereum.personal_message import personal_message_hash
from signer.ethereum.signature import recover_address
from signer.ethereum.typed_data.document import read_typed_data
from signer.transactions import transaction_of
from sixgate.api import Json

COMPARED: Final = (
    *("chain_id", "to", "value_wei", "data", "nonce", "gas_limit", "gas_price_wei"),
    *("max_fee_per_gas_wei", "max_priority_fee_per_gas_wei", "max_fee_per_blob_gas_wei"),
    *("access_list", "blob_versioned_hashes", "authorization_list"),
)
"""Fields that an intent may set; the signer chooses those that are absent."""


def recovered_address(event: Json) -> str:
    """Return the address recovered from the signature of an outcome."""
    if event["type"] == "transaction.signed":
        return f"0x{sender(bytes.fromhex(event['raw_transaction'][2:])).hex()}"
    signature = bytes.fromhex(event["message_signature"][2:])
    parity = bytes([signature[64] - V_OFFSET])
    digest = bytes.fromhex(event["signed_digest"][2:])
    return f"0x{recover_address(digest, signature[:64] + parity).hex()}"


def matches_intent(intent: AnyIntent, event: Json) -> bool:
    """Return whether the signed bytes match both the event and the intent."""
    if not isinstance(intent, TransactionIntent):
        return bool(event["signed_digest"] == f"0x{_signed_digest(intent, event).hex()}")
    outcome = TransactionSigned.model_validate_json(json.dumps(event))
    signed, _ = decode_signed(bytes.fromhex(event["raw_transaction"][2:]))
    wanted = {name: getattr(intent, name) for name in COMPARED}
    stated = {name for name, value in wanted.items() if value is not None} | {"to"}
    return signed == transaction_of(outcome) and all(
        getattr(outcome, name) == wanted[name] for name in stated
    )


def _signed_digest(intent: AnyIntent, event: Json) -> bytes:
    """Return the digest to sign for an intent other than a transaction."""
    match intent:
        case MessageIntent():
            return personal_message_hash(bytes.fromhex(intent.message[2:]))
        case TypedDataIntent():
            return read_typed_data(intent.typed_data, intent.chain_id).digest
        case AuthorizationIntent():
            nonce = event["nonce"] if intent.nonce is None else intent.nonce
            return delegation(intent, nonce).digest
        case TransactionIntent():
            raise ValueError("a transaction is not a message")
