"""Vault events: the signer's records about secrets, vault keys and share keys; no plaintext.

A version of a secret never changes. Only the wrapping of its data key may change, and such an event
carries no ciphertext, so rewrapping cannot replace the secret.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from schemas.canonical import Canonical, canonical_bytes, decode_as, digest, event_id
from schemas.dsse import Envelope
from schemas.fields import (
    Digest,
    Hex,
    Name,
    Ordinal,
    SecretPath,
    TimeMs,
    VaultName,
    X25519PublicKey,
)
from schemas.keys.order import Order
from schemas.keys.provider_roots import ProviderRootChanged, ProviderRootOrder
from schemas.keys.recovery import RecoveryOrder, SecretRecovered
from schemas.keys.wrapped import Blob, Wrapped
from schemas.registry.custody import CustodyMode
from schemas.signer_event import SignerEvent

SecretKind = Literal["api_key", "certificate", "file", "note", "password", "private_key", "ssh_key"]
KeyChange = Literal["kek", "root"]
VALUE_BYTES_MAX = 64 * 1024
_SEALED_BYTES_MAX = VALUE_BYTES_MAX + 64


class SecretOrder(Order):
    """An order to make one version of a secret, signed by an admin or by the named agent.

    ``box`` is the redacted digest of the value sealed to the signer. Without it the signer
    generates the value; a generated private key cannot be read. ``version`` is the next version, so
    only one of two concurrent orders is executed.
    """

    type: Literal["secret.order"] = "secret.order"
    vault: VaultName
    path: SecretPath
    version: Ordinal
    kind: SecretKind
    agent: Name | None = None
    box: Digest | None = None
    share_for: X25519PublicKey | None = None
    expires_at_ms: TimeMs | None = None

    def box_context(self) -> bytes:
        """Return the HPKE ``info`` that binds the box to this order."""
        names = self.model_dump(include={"org", "account", "vault", "path", "version", "kind"})
        return canonical_bytes({"type": "secret.order.box", "v": 1, **names})


class SecretDelivery(Canonical):
    """A ``SecretOrder`` together with its box, which is a redacted field."""

    v: Literal[1] = 1
    type: Literal["secret.delivery"] = "secret.delivery"
    id: Digest
    request: Envelope
    box: Hex = Field(max_length=2 + 2 * _SEALED_BYTES_MAX)


class VaultKeyOrder(Order):
    """An admin's order to rotate a vault's KEK, or to rewrap it under another root key.

    ``sequence`` counts the changes of a vault's KEK from 1, so an order cannot be replayed.
    """

    type: Literal["vault.key.order"] = "vault.key.order"
    vault: VaultName
    change: KeyChange
    sequence: Ordinal
    expires_at_ms: TimeMs | None = None


class SecretStored(Wrapped, SignerEvent):
    """One immutable version of a secret: stored by a user or an agent, or generated inside."""

    v: Literal[1] = 1
    type: Literal["secret.stored"] = "secret.stored"
    request: Envelope
    account: Name
    vault: VaultName
    path: SecretPath
    version: Ordinal
    kind: SecretKind
    generated: bool
    mode: CustodyMode
    ciphertext: Hex
    client_share: Blob | None = None
    stored_at_ms: TimeMs


class VaultKeyChanged(SignerEvent):
    """A vault's KEK was rotated, or rewrapped under another root key."""

    v: Literal[1] = 1
    type: Literal["vault.key.changed"] = "vault.key.changed"
    request: Envelope
    account: Name
    vault: VaultName
    change: KeyChange
    sequence: Ordinal
    kms_key: str = Field(max_length=512)
    wrapped_kek: Blob
    changed_at_ms: TimeMs


class SecretRewrapped(Wrapped, SignerEvent):
    """The data key of a version was rewrapped; ``sequence`` numbers the rewraps from 1."""

    v: Literal[1] = 1
    type: Literal["secret.rewrapped"] = "secret.rewrapped"
    account: Name
    vault: VaultName
    path: SecretPath
    version: Ordinal
    sequence: Ordinal
    rewrapped_at_ms: TimeMs


class ShareKeyAnnounced(SignerEvent):
    """The share key to which an account's clients and importers seal from now on."""

    v: Literal[1] = 1
    type: Literal["share.key.announced"] = "share.key.announced"
    account: Name
    version: Ordinal
    public_key: X25519PublicKey
    made_at_ms: TimeMs


VaultOrder: TypeAlias = SecretOrder | VaultKeyOrder | RecoveryOrder | ProviderRootOrder
VaultAnswer: TypeAlias = SecretStored | VaultKeyChanged | SecretRecovered | ProviderRootChanged
Rewrap: TypeAlias = VaultKeyChanged | SecretRewrapped | SecretRecovered | ProviderRootChanged
_ORDERS: TypeAdapter[VaultOrder] = TypeAdapter(Annotated[VaultOrder, Field(discriminator="type")])


def decode_vault_order(raw: bytes) -> VaultOrder:
    """Parse a vault order from canonical bytes; raise ``MalformedError``."""
    return decode_as(_ORDERS.validate_json, raw)


def rewrap_id(account: str, vault: str, path: str, version: int, sequence: int) -> str:
    """Return the id of the only rewrap of a version with this number."""
    return event_id("vault.rewrap", f"{account}/{vault}/{path}/{version}/{sequence}")


def vault_answer_id(body: bytes) -> str:
    """Return the id of the only answer to the order with these canonical bytes."""
    return event_id("vault.order", body.decode())


def vault_order_digest(body: bytes) -> str:
    """Return the digest of a vault order's canonical bytes."""
    return digest("sixgate/vault-order/v1", body)


def secret_delivery_id(body: bytes) -> str:
    """Return the id of the delivery of the order with these canonical bytes."""
    return event_id("keys.requests", vault_order_digest(body))


def announcement_id(account: str, version: int, public_key: str) -> str:
    """Return the id of the only announcement of a share key to an account."""
    return event_id("share.key", f"{account}/{version}/{public_key}")
