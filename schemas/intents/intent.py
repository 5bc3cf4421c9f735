"""Intents: requests for one signature, with every name and relative time resolved.

Decoding checks single fields only. Rules judge their combination, so that an authenticated intent
with contradictory fields gets an outcome with a reason.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from schemas.canonical import Canonical, canonical_bytes, decode_as, digest
from schemas.fields import (
    Address,
    ChainId,
    Count,
    Data,
    Digest,
    ExpiryMs,
    Gas,
    IdempotencyKey,
    KeyPath,
    Name,
    Nonce,
    Uint256,
)
from schemas.intents.intent_parts import AccessList, ClientShare, SignedAuthorization

EXPIRY_MS_MAX = 24 * 60 * 60 * 1000
EXPIRY_MS_DEFAULT = 10 * 60 * 1000
BLOBS_MAX, AUTHORIZATIONS_MAX = 64, 256
TYPED_DATA_LENGTH_MAX = 160 * 1024
NEVER_COMPARED = frozenset({"expires_at_ms", "client_share"})
"""Fields that a client fills in anew for each attempt."""


class Intent(Canonical):
    """The common fields of every kind: agent, chain, key and expiry.

    ``mode`` is absent if the intent requests only a signature. ``client_share`` is present if the
    key's vault needs the client's share.
    """

    v: Literal[1] = 1
    kind: str
    mode: Literal["submit"] | None = None
    org: Name
    account: Name
    agent: Name
    chain_id: Count
    key_path: KeyPath
    idempotency_key: IdempotencyKey
    expires_at_ms: ExpiryMs
    client_share: ClientShare | None = None


class TransactionIntent(Intent):
    """A transaction of one of the five EIP-2718 types.

    Without ``to`` it creates a contract. Without ``tx_type`` the fee fields imply the type: a gas
    price means type 0, or 1 with an access list; otherwise type 2. Absent fees and gas are filled
    from a signed simulation report or the chain's registered defaults. The signer allocates an
    absent nonce.
    """

    kind: Literal["transaction"] = "transaction"
    chain_id: ChainId
    tx_type: Count | None = None
    to: Address | None = None
    value_wei: Uint256
    data: Data
    gas_limit: Gas | None = None
    gas_price_wei: Uint256 | None = None
    max_fee_per_gas_wei: Uint256 | None = None
    max_priority_fee_per_gas_wei: Uint256 | None = None
    access_list: AccessList | None = None
    max_fee_per_blob_gas_wei: Uint256 | None = None
    blob_versioned_hashes: Annotated[tuple[Digest, ...], Field(max_length=BLOBS_MAX)] | None = None
    authorization_list: (
        Annotated[tuple[SignedAuthorization, ...], Field(max_length=AUTHORIZATIONS_MAX)] | None
    ) = None
    nonce: Nonce | None = None
    simulate_first: bool


class MessageIntent(Intent):
    """Bytes to sign as a personal message (EIP-191, version 0x45)."""

    kind: Literal["personal_sign"] = "personal_sign"
    chain_id: ChainId
    message: Data


class TypedDataIntent(Intent):
    """Typed structured data to sign (EIP-712), as the JSON text that wallets use."""

    kind: Literal["typed_data"] = "typed_data"
    chain_id: ChainId
    typed_data: Annotated[str, Field(max_length=TYPED_DATA_LENGTH_MAX)]


class AuthorizationIntent(Intent):
    """A delegation of the key's own address to a contract's code (EIP-7702).

    Chain 0 is every chain. ``nonce`` is the address's nonce when the authorization is applied;
    absent, the signer allocates the next one.
    """

    kind: Literal["authorization"] = "authorization"
    delegate: Address
    nonce: Nonce | None = None


AnyIntent: TypeAlias = TransactionIntent | MessageIntent | TypedDataIntent | AuthorizationIntent
_ADAPTER: TypeAdapter[AnyIntent] = TypeAdapter(Annotated[AnyIntent, Field(discriminator="kind")])


def decode_intent(raw: bytes) -> AnyIntent:
    """Parse an intent of any kind from canonical bytes; raise ``MalformedError``."""
    return decode_as(_ADAPTER.validate_json, raw)


def intent_digest(body: bytes) -> str:
    """Return the digest of an intent's canonical bytes (the payload, not its envelope)."""
    return digest("sixgate/intent/v1", body)


def request_digest(intent: Intent) -> str:
    """Return the digest of the request that an intent makes.

    Two intents of one agent with one idempotency key are the same request if all their fields are
    equal, except when they expire and the client share, which is sealed anew for each attempt.
    """
    request = intent.plain()
    for name in NEVER_COMPARED:
        request.pop(name, None)
    return digest("sixgate/request/v1", canonical_bytes(request))
