"""Outcomes: the terminal event of an intent, signed by the signer.

Every authenticated intent ends in exactly one outcome: its own, or that of the request it repeats
(``schemas.intents.intent.request_digest``), which an audit record ``intent.duplicate`` then names.
"""

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from schemas.canonical import decode_as
from schemas.fields import (
    Address,
    Count,
    Data,
    Digest,
    Gas,
    Hex,
    IdempotencyKey,
    KeyPath,
    Name,
    Nonce,
    Ordinal,
    Text,
    TimeMs,
    Uint256,
    WeiSum,
)
from schemas.intents.intent_parts import AccessList, SignedAuthorization
from schemas.intents.reasons import Evidence, Gate, Reason
from schemas.signer_event import SignerEvent

FeeSource = Literal["intent", "simulation", "chain-defaults"]


class Outcome(SignerEvent):
    """The common fields of outcomes; ``sequence`` is dense per account and starts at 1.

    ``boot`` is the id of the boot that decided (``SignerBoot``).
    """

    v: Literal[1] = 1
    org: Name
    account: Name
    agent: Name
    intent: Digest
    idempotency_key: IdempotencyKey
    sequence: Ordinal
    decided_at_ms: TimeMs
    policy: Digest | None = None
    boot: Digest | None = None


class Signed(Outcome):
    """The common fields of signed outcomes: chain, address and key version."""

    chain_id: Count
    sender: Address
    key_path: KeyPath
    key_version: Ordinal


class TransactionSigned(Signed):
    """A signed transaction, ready to send; ``gas_from`` and ``fees_from`` name their sources.

    Absent ``tx_type`` is type 2. ``spent_wei`` is its charge; ``day_spent_wei`` is the sum of the
    account's charges in 24 hours and 15 seconds, including this one.
    """

    type: Literal["transaction.signed"] = "transaction.signed"
    tx_type: Literal[0, 1, 3, 4] | None = None
    to: Address | None = None
    value_wei: Uint256
    data: Data
    nonce: Nonce
    gas_limit: Gas
    gas_price_wei: Uint256 | None = None
    max_fee_per_gas_wei: Uint256 | None = None
    max_priority_fee_per_gas_wei: Uint256 | None = None
    access_list: AccessList | None = None
    max_fee_per_blob_gas_wei: Uint256 | None = None
    blob_versioned_hashes: tuple[Digest, ...] | None = None
    authorization_list: tuple[SignedAuthorization, ...] | None = None
    gas_from: FeeSource
    fees_from: FeeSource
    spent_wei: Uint256
    day_spent_wei: WeiSum
    transaction_hash: Digest | None = None
    raw_transaction: Hex | None = None


class MessageSigned(Signed):
    """A signature over a message, over typed data, or over a delegation of the address.

    ``signed_digest`` is the signed 32 bytes, computed by the signer from the intent. Typed data
    also has its primary type and contract, a delegation its delegate and nonce.
    """

    type: Literal["message.signed"] = "message.signed"
    kind: Literal["personal_sign", "typed_data", "authorization"]
    signed_digest: Digest
    primary_type: Text | None = None
    verifying_contract: Address | None = None
    delegate: Address | None = None
    nonce: Nonce | None = None
    message_signature: Hex | None = None


class IntentRejected(Outcome):
    """A refusal: the gate whose rule rejected the intent in the signer, and the reason.

    Absent ``kind`` is a transaction; only a transaction has ``value_wei``.
    """

    type: Literal["intent.rejected"] = "intent.rejected"
    kind: Literal["personal_sign", "typed_data", "authorization"] | None = None
    chain_id: Count
    to: Address | None = None
    value_wei: Uint256 | None = None
    gate: Gate
    reason: Reason
    detail: Text
    evidence: Evidence | None = None


SIGNED_TYPES: Final = ("transaction.signed", "message.signed")
AnyOutcome: TypeAlias = TransactionSigned | MessageSigned | IntentRejected
PinnedOutcome = Annotated[AnyOutcome, Field(discriminator="type")]
_ADAPTER: TypeAdapter[AnyOutcome] = TypeAdapter(PinnedOutcome)


def decode_outcome(raw: bytes) -> AnyOutcome:
    """Parse any outcome from canonical bytes; raise ``MalformedError`` for anything else."""
    return decode_as(_ADAPTER.validate_json, raw)
