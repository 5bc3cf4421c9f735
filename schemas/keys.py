"""Keys come into being by an operator's signed request and the signer's signed answer."""

from typing import Literal

from pydantic import Field

from schemas.canonical import Canonical, digest
from schemas.dsse import Envelope
from schemas.fields import (
    Address,
    Digest,
    Ed25519Signature,
    Hex,
    KeyPath,
    Name,
    Ordinal,
    TimeMs,
    VaultName,
)

CustodyMode = Literal["envelope"]


class KeyRequest(Canonical):
    """An operator's order to generate a key for one account at one path."""

    v: Literal[1] = 1
    type: Literal["key.request"] = "key.request"
    org: Name
    account: Name
    path: KeyPath
    chain: Literal["ethereum"] = "ethereum"
    requested_at_ms: TimeMs


class KeyProvisioned(Canonical):
    """The signer's answer; with the request inside it is the key's whole descriptor.

    The wrapped keys and the ciphertext are gated: the ledger holds their digests.
    """

    v: Literal[1] = 1
    type: Literal["key.provisioned"] = "key.provisioned"
    id: Digest
    request: Envelope
    account: Name
    vault: VaultName
    path: KeyPath
    version: Ordinal
    mode: CustodyMode = "envelope"
    chain: Literal["ethereum"] = "ethereum"
    address: Address
    public_key: Hex
    kms_key: str = Field(max_length=256)
    wrapped_kek: Hex
    wrapped_dek: Hex
    ciphertext: Hex
    provisioned_at_ms: TimeMs
    signer: Name
    signature: Ed25519Signature | None = None


def request_digest(body: bytes) -> str:
    """Name a key request by its canonical bytes."""
    return digest("sixgate/key-request/v1", body)
