"""Structured parts of intents: access lists, authorizations and client shares."""

from typing import Annotated

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Address, Count, Digest, Hex, Nonce, Ordinal, Uint256, X25519PublicKey

ENTRIES_MAX = 1024


class AccessListEntry(Canonical):
    """An address and its storage keys in a transaction's access list (EIP-2930)."""

    address: Address
    storage_keys: Annotated[tuple[Digest, ...], Field(max_length=ENTRIES_MAX)]


AccessList = Annotated[tuple[AccessListEntry, ...], Field(max_length=ENTRIES_MAX)]


class SignedAuthorization(Canonical):
    """A signed delegation to a contract's code (EIP-7702); chain 0 is every chain."""

    chain_id: Count
    address: Address
    nonce: Nonce
    y_parity: Annotated[int, Field(ge=0, le=1)]
    r: Uint256
    s: Uint256


class ClientShare(Canonical):
    """The client's share of one key version, sealed to one of the signer's share keys."""

    key_version: Ordinal
    share_key: X25519PublicKey
    box: Hex = Field(max_length=256)
