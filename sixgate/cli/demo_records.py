"""The demo's own records: attacks that no command sends, and checks of what was signed.

A line with ``demo`` is an attack. ``replay`` and ``changed`` reuse the intent of the line labelled
``of``; ``expired`` and ``far`` shift the expiry; ``forged`` signs with an unknown key;
``misrouted`` sends the intent under another account's key; ``malformed`` sends ``bytes`` unchanged.
"""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.intents.intent import (
    EXPIRY_MS_MAX,
    AnyIntent,
    AuthorizationIntent,
    MessageIntent,
    TransactionIntent,
    TypedDataIntent,
)
from schemas.intents.money import eth_to_wei
from schemas.intents.outcome import TransactionSigned
from signer.core.draft import delegation
from signer.core.ethereum.personal_message import personal_message_hash
from signer.core.ethereum.signature import recover_address
from signer.core.ethereum.signing import V_OFFSET
from signer.core.ethereum.typed_data.document import read_typed_data
from signer.core.transactions import transaction_of
from signer.custody.event_signing import Ed25519Signer
from sixgate.api import Json
from sixgate.authoring import producer
from sixgate.authoring.intent_form import IntentFormError, read_form
from sixgate.authoring.intent_lines import DEMO, Signers, Submission
from sixgate.authoring.producer import Directory
from sixgate.cli.session import new_idempotency_key
from sixgate.cli.transaction_decoding import decode_signed, sender
from sixgate.data_folder.key_files import SEED_BYTES

KINDS = ("replay", "changed", "expired", "far", "forged", "misrouted", "malformed")
LATE_MS = {"expired": -60 * 60 * 1000, "far": EXPIRY_MS_MAX}
"""How far from now a line's intent is created."""
NOT_COMPARED = {"v", "tx_type"}
"""Fields of intents and outcomes that may differ; the signed bytes state the type."""


@dataclass(frozen=True, slots=True)
class Attacker:
    """Makes attacks; ``earlier`` has the signed intents of other lines by label."""

    earlier: Mapping[str, Submission]
    directory: Directory
    signers: Signers
    now_ms: int

    def record(self, line: Json) -> Json:
        """Make the record of a line for ``Api.submit``; ``IntentFormError`` if it is invalid."""
        key, value = self._record(line[DEMO], line)
        return {"key": key, "value": base64.b64encode(value).decode()}

    def _record(self, kind: str, line: Json) -> tuple[str, bytes]:
        if kind not in KINDS:
            raise IntentFormError([(DEMO, f"must be one of {', '.join(KINDS)}")])
        if kind == "malformed":
            return line["account"], str(line["bytes"]).encode()
        if kind in ("replay", "changed"):
            if line.get("of") not in self.earlier:
                raise IntentFormError([("of", f"no intent has the label {line.get('of')!a}")])
            first = self.earlier[line["of"]]
            if kind == "replay":
                return first.intent.account, first.envelope
            changes = {"value_wei": eth_to_wei(line["value"])}
            intent = first.intent.model_copy(update=changes)
        else:
            form = read_form({key: line[key] for key in line if key not in (DEMO, "account")})
            created_ms = self.now_ms + LATE_MS.get(kind, 0)
            intent = producer.resolve(form, self.directory, created_ms, new_idempotency_key)
        stranger = Ed25519Signer("stranger", secrets.token_bytes(SEED_BYTES))
        signer = stranger if kind == "forged" else self.signers(intent.agent)
        return line.get("account", intent.account), producer.sign(intent, signer)


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
    signed, _ = decode_signed(bytes.fromhex(event["raw_transaction"][2:]), outcome.chain_id)
    stated = outcome.model_dump()
    requested = {"to": intent.to} | intent.model_dump(exclude_none=True)
    common = requested.keys() & stated.keys() - NOT_COMPARED
    as_requested = all(requested[name] == stated[name] for name in common)
    return as_requested and signed == transaction_of(outcome)
