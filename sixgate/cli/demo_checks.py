"""The demo's own checks of signatures: who signed, and whether it is what the intent requested."""

import json

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

NOT_COMPARED = {"v", "tx_type"}
"""Fields of intents and outcomes that may differ; the signed bytes state the type."""


def recovered_address(event: Json) -> str:
    """Return the address recovered from the signature of an outcome."""
    if event["type"] == "transaction.signed":
        return f"0x{sender(bytes.fromhex(event['raw_transaction'][2:])).hex()}"
    *signature, v = bytes.fromhex(event["message_signature"][2:])
    digest = bytes.fromhex(event["signed_digest"][2:])
    return f"0x{recover_address(digest, bytes([*signature, v - V_OFFSET])).hex()}"


def matches_intent(intent: AnyIntent, event: Json) -> bool:
    """Return whether the signed bytes match both the event and the intent."""
    match intent:
        case TransactionIntent():
            return _matches_transaction(intent, event)
        case MessageIntent():
            digest = personal_message_hash(bytes.fromhex(intent.message[2:]))
        case TypedDataIntent():
            digest = read_typed_data(intent.typed_data, intent.chain_id).digest
        case AuthorizationIntent():
            nonce = event["nonce"] if intent.nonce is None else intent.nonce
            digest = delegation(intent, nonce).digest
    return bool(event["signed_digest"] == f"0x{digest.hex()}")


def _matches_transaction(intent: TransactionIntent, event: Json) -> bool:
    outcome = TransactionSigned.model_validate_json(json.dumps(event))
    signed, _ = decode_signed(bytes.fromhex(event["raw_transaction"][2:]))
    stated = outcome.model_dump()
    requested = {"to": intent.to} | intent.model_dump(exclude_none=True)
    common = requested.keys() & stated.keys() - NOT_COMPARED
    as_requested = all(requested[name] == stated[name] for name in common)
    return as_requested and signed == transaction_of(outcome)
