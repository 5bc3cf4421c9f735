"""Key orders (generate, rotate, deactivate, import) and the signer's answers."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from schemas.canonical import Canonical, canonical_bytes, decode_as, digest, event_id
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
from schemas.keys.order import Order
from schemas.keys.vault_events import Rewrap, SecretStored, ShareKeyAnnounced
from schemas.keys.wrapped import Blob, Wrapped
from schemas.registry.custody import CustodyMode
from schemas.registry.key_chains import KeyChain
from schemas.signer_event import SignerEvent


class KeyOrder(Order):
    """The common fields of key orders; an order is identified by the digest of its bytes."""

    path: KeyPath


class KeyCreationOrder(KeyOrder):
    """The common fields of orders that make a key; they are valid until they expire."""

    expires_at_ms: TimeMs | None = None


class KeyRequest(KeyCreationOrder):
    """An admin's order to generate a key for one account at one path.

    Without ``vault`` the path determines the vault. ``share_for`` is the public key to which the
    client share is sealed; it is present exactly if the vault's mode has a client share.
    """

    vault: VaultName | None = None
    share_for: X25519PublicKey | None = None
    type: Literal["key.request"] = "key.request"
    chain: KeyChain = KeyChain.ETHEREUM


class KeyRotation(KeyCreationOrder):
    """An order to rotate a key: to generate a new version, after which the old one cannot sign.

    ``version`` is the newest version; the order is invalid once there is a newer one.
    """

    type: Literal["key.rotation"] = "key.rotation"
    version: Ordinal
    share_for: X25519PublicKey | None = None


class KeyDeactivation(KeyOrder):
    """An order to deactivate (revoke) the newest version of a key; the order never expires."""

    type: Literal["key.deactivation"] = "key.deactivation"
    version: Ordinal


class KeyImport(KeyCreationOrder):
    """An order to import a key with this address that was generated elsewhere.

    ``box`` is the redacted digest of the secret sealed to ``import_key``, a share key.
    """

    type: Literal["key.import"] = "key.import"
    chain: KeyChain
    address: ChainAddress
    import_key: X25519PublicKey
    box: Digest
    vault: VaultName | None = None
    share_for: X25519PublicKey | None = None

    def box_context(self) -> bytes:
        """Return the HPKE ``info`` that binds the box to this order."""
        return import_context(self.org, self.account, self.path, self.chain, self.address)


class KeyDelivery(Canonical):
    """A ``KeyImport`` together with its box, which is a redacted field."""

    v: Literal[1] = 1
    type: Literal["key.delivery"] = "key.delivery"
    id: Digest
    request: Envelope
    box: Hex = Field(max_length=1024)


class KeyProvisioned(Wrapped, SignerEvent):
    """The signer's answer: a new key, or a new version of a key.

    Together with its request it fully describes the key. The wrapped keys, the ciphertext and the
    client share (sealed to the order's ``share_for``) are redacted: the ledger holds their digests.
    ``kms_key`` names the root key, or the providers' root keys in their order.
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
    """The signer's answer: this version is deactivated."""

    v: Literal[1] = 1
    type: Literal["key.deactivated"] = "key.deactivated"
    request: Envelope
    account: Name
    path: KeyPath
    version: Ordinal
    deactivated_at_ms: TimeMs


AnyOrder: TypeAlias = KeyRequest | KeyRotation | KeyDeactivation | KeyImport
AnyAnswer: TypeAlias = KeyProvisioned | KeyDeactivated
VaultEvent: TypeAlias = AnyAnswer | SecretStored | Rewrap | ShareKeyAnnounced
"""Every event of ``vault``."""
_ORDERS: TypeAdapter[AnyOrder] = TypeAdapter(Annotated[AnyOrder, Field(discriminator="type")])
_EVENTS: TypeAdapter[VaultEvent] = TypeAdapter(Annotated[VaultEvent, Field(discriminator="type")])


def decode_order(raw: bytes) -> AnyOrder:
    """Parse a key order from canonical bytes; raise ``MalformedError``."""
    return decode_as(_ORDERS.validate_json, raw)


def decode_vault_event(raw: bytes) -> VaultEvent:
    """Parse a signer's event on ``vault``; raise ``MalformedError``."""
    return decode_as(_EVENTS.validate_json, raw)


def request_digest(body: bytes) -> str:
    """Return the digest of a key order's canonical bytes."""
    return digest("sixgate/key-request/v1", body)


def answer_id(body: bytes) -> str:
    """Return the id of the only answer to the order with these canonical bytes."""
    return event_id("vault", request_digest(body))


def import_context(org: str, account: str, path: str, chain: KeyChain, address: str) -> bytes:
    """Return the HPKE ``info`` of an imported secret."""
    names = {"org": org, "account": account, "path": path, "chain": chain, "address": address}
    return canonical_bytes({"type": "key.import.box", "v": 1, **names})


def delivery_id(body: bytes) -> str:
    """Return the id of the delivery of the import with these canonical bytes."""
    return event_id("keys.requests", request_digest(body))
