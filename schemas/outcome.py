"""The one terminal event of an intent, written and signed by the signer alone."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from schemas.canonical import Canonical, decode_as
from schemas.clearance import Evidence, Gate
from schemas.fields import (
    Address,
    ChainId,
    Data,
    Digest,
    Ed25519Signature,
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
from schemas.reasons import Reason

FeeSource = Literal["intent", "simulation", "chain-defaults"]


class Outcome(Canonical):
    """What both outcomes say; ``sequence`` counts an account's outcomes without a hole from 1."""

    v: Literal[1] = 1
    id: Digest
    org: Name
    account: Name
    agent: Name
    intent: Digest
    idempotency_key: IdempotencyKey
    sequence: Ordinal
    decided_at_ms: TimeMs
    policy: Digest | None = None
    signer: Name
    signature: Ed25519Signature | None = None


class TransactionSigned(Outcome):
    """A signed transaction, ready to send; ``gas_from`` and ``fees_from`` say who set them.

    ``spent_wei`` is what it charged, ``day_spent_wei`` the account's 24 hours with it.
    """

    type: Literal["transaction.signed"] = "transaction.signed"
    chain_id: ChainId
    sender: Address
    to: Address | None = None
    value_wei: Uint256
    data: Data
    nonce: Nonce
    gas_limit: Gas
    max_fee_per_gas_wei: Uint256
    max_priority_fee_per_gas_wei: Uint256
    gas_from: FeeSource
    fees_from: FeeSource
    key_path: KeyPath
    key_version: Ordinal
    spent_wei: Uint256
    day_spent_wei: WeiSum
    transaction_hash: Digest | None = None
    raw_transaction: Hex | None = None


class IntentRejected(Outcome):
    """A refusal: which gate's rule the signer found broken, and why."""

    type: Literal["intent.rejected"] = "intent.rejected"
    chain_id: ChainId
    to: Address | None = None
    value_wei: Uint256
    gate: Gate
    reason: Reason
    detail: Text
    evidence: Evidence | None = None


AnyOutcome = Annotated[TransactionSigned | IntentRejected, Field(discriminator="type")]
_ADAPTER: TypeAdapter[TransactionSigned | IntentRejected] = TypeAdapter(AnyOutcome)


def decode_outcome(raw: bytes) -> TransactionSigned | IntentRejected:
    """Parse either outcome from canonical bytes; raise ``Malformed`` for anything else."""
    return decode_as(_ADAPTER.validate_json, raw)
