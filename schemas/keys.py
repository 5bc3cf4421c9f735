"""Keys come into being, change and go by an operator's signed request and the signer's answer."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from schemas.canonical import Canonical, canonical_bytes, decode_as, digest, event_id
from schemas.custody import Blob, CustodyMode, Wrapped
from schemas.dsse import Envelope
from schemas.fields import (
    ChainAddress,
    Digest,
    Hex,
    KeyPath,
    Name,
    Ordinal,
    TimeMs,
    VaultName,
    X25519PublicKey,
)
from schemas.key_chains import KeyChain
from schemas.order import Order
from schemas.signer_event import SignerEvent
from schemas.vault_events import Rewrap


class KeyOrder(Order):
    """What an operator's orders have in common; one is named by the digest of its bytes."""

    path: KeyPath


class KeyMakingOrder(KeyOrder):
    """What the orders have in common that make a key, each while it has not expired."""

    expires_at_ms: TimeMs | None = None


class KeyRequest(KeyMakingOrder):
    """An operator's order to generate a key for one account at one path.

    Without ``vault`` it is the usual one of the path. ``share_for`` is who gets the client's share,
    sealed for that key; it is there exactly where the vault's mode has a client's share.
    """

    vault: VaultName | None = None
    share_for: X25519PublicKey | None = None
    type: Literal["key.request"] = "key.request"
    chain: KeyChain = KeyChain.ETHEREUM


class KeyRotation(KeyMakingOrder):
    """An order to generate a new version of a key, after which the old one signs no more.

    ``version`` is the newest one; the order means nothing when there is another.
    """

    type: Literal["key.rotation"] = "key.rotation"
    version: Ordinal
    share_for: X25519PublicKey | None = None


class KeyDeactivation(KeyOrder):
    """An order that the newest version of a key, ``version``, signs no more; it never expires."""

    type: Literal["key.deactivation"] = "key.deactivation"
    version: Ordinal


class KeyImport(KeyMakingOrder):
    """An order to take in a key that was made elsewhere and has this address.

    ``box`` is the redacted digest of the secret sealed for ``import_key``, a share key.
    """

    type: Literal["key.import"] = "key.import"
    chain: KeyChain
    address: ChainAddress
    import_key: X25519PublicKey
    box: Digest
    vault: VaultName | None = None
    share_for: X25519PublicKey | None = None

    def box_context(self) -> bytes:
        """Return what the secret is sealed under, so that its box serves no other order."""
        return import_context(self.org, self.account, self.path, self.chain, self.address)


class KeyDelivery(Canonical):
    """A ``KeyImport`` with its box, as they travel; the box is redacted."""

    v: Literal[1] = 1
    type: Literal["key.delivery"] = "key.delivery"
    id: Digest
    request: Envelope
    box: Hex = Field(max_length=1024)


class KeyProvisioned(Wrapped, SignerEvent):
    """The signer's answer: a key, or a new version of one.

    With the request inside it is the key's whole descriptor. The wrapped keys, the ciphertext and
    the client's share, sealed for the one that the order names, are redacted: the ledger holds
    their digests. ``kms_key`` is the root's, or in their order the providers'.
    """

    v: Literal[1] = 1
    type: Literal["key.provisioned"] = "key.provisioned"
    request: Envelope
    account: Name
    vault: VaultName
    path: KeyPath
    version: Ordinal
    mode: CustodyMode = "envelope"
    chain: KeyChain = KeyChain.ETHEREUM
    address: ChainAddress
    public_key: Hex
    kms_key: str = Field(max_length=2048)
    ciphertext: Hex
    client_share: Blob | None = None
    provisioned_at_ms: TimeMs


class KeyDeactivated(SignerEvent):
    """The signer's answer: this version signs no more."""

    v: Literal[1] = 1
    type: Literal["key.deactivated"] = "key.deactivated"
    request: Envelope
    account: Name
    path: KeyPath
    version: Ordinal
    deactivated_at_ms: TimeMs


AnyOrder: TypeAlias = KeyRequest | KeyRotation | KeyDeactivation | KeyImport
AnyAnswer: TypeAlias = KeyProvisioned | KeyDeactivated
VaultEvent: TypeAlias = AnyAnswer | Rewrap
_ORDERS: TypeAdapter[AnyOrder] = TypeAdapter(Annotated[AnyOrder, Field(discriminator="type")])
_EVENTS: TypeAdapter[VaultEvent] = TypeAdapter(Annotated[VaultEvent, Field(discriminator="type")])


def decode_order(raw: bytes) -> AnyOrder:
    """Parse an operator's order from canonical bytes.

    Raise ``MalformedError`` for anything else.
    """
    return decode_as(_ORDERS.validate_json, raw)


def decode_vault_event(raw: bytes) -> VaultEvent:
    """Parse what a signer says of keys and how they are wrapped; raise ``MalformedError``."""
    return decode_as(_EVENTS.validate_json, raw)


def request_digest(body: bytes) -> str:
    """Name a key request by its canonical bytes."""
    return digest("sixgate/key-request/v1", body)


def answer_id(body: bytes) -> str:
    """Return the id of the one answer to the request with these canonical bytes."""
    return event_id("vault", request_digest(body))


def import_context(org: str, account: str, path: str, chain: KeyChain, address: str) -> bytes:
    """Return what an imported secret is sealed under."""
    names = {"org": org, "account": account, "path": path, "chain": chain, "address": address}
    return canonical_bytes({"type": "key.import.box", "v": 1, **names})


def delivery_id(body: bytes) -> str:
    """Return the id of the delivery of the import with these canonical bytes."""
    return event_id("keys.requests", request_digest(body))
