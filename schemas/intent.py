"""What a producer asks for."""

from typing import Literal

from schemas.canonical import Canonical, digest
from schemas.fields import (
    Address,
    ChainId,
    Data,
    ExpiryMs,
    Gas,
    IdempotencyKey,
    KeyPath,
    Name,
    Nonce,
    Uint256,
)

EXPIRY_MS_MAX = 24 * 60 * 60 * 1000
EXPIRY_MS_DEFAULT = 10 * 60 * 1000


class Intent(Canonical):
    """A transaction to be signed, unambiguous: every name and relative time is resolved.

    ``to`` absent means contract creation. Absent fees and gas are filled from signed simulation
    facts or the chain's registered defaults; an absent nonce is allocated by the signer.
    """

    v: Literal[1] = 1
    kind: Literal["transaction"] = "transaction"
    org: Name
    account: Name
    agent: Name
    chain_id: ChainId
    to: Address | None = None
    value_wei: Uint256
    data: Data
    gas_limit: Gas | None = None
    max_fee_per_gas_wei: Uint256 | None = None
    max_priority_fee_per_gas_wei: Uint256 | None = None
    nonce: Nonce | None = None
    simulate_first: bool
    key_path: KeyPath
    idempotency_key: IdempotencyKey
    expires_at_ms: ExpiryMs


def intent_digest(body: bytes) -> str:
    """Name an intent by its canonical bytes (the payload, not the envelope around it)."""
    return digest("sixgate/intent/v1", body)
