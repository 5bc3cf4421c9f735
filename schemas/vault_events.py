"""What the signer says on ``vault`` of secrets and of the keys above them; it never says a secret.

A version of a secret never changes. What may change is how its data key is wrapped, and an event
of that carries no ciphertext: whoever re-wraps cannot put another secret in its place.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from schemas.canonical import Canonical, canonical_bytes, decode_as, digest, event_id
from schemas.custody import Blob, CustodyMode, Wrapped
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
from schemas.order import Order
from schemas.provider_roots import ProviderRootChanged, ProviderRootOrder
from schemas.recovery import RecoveryOrder, SecretRecovered
from schemas.signer_event import SignerEvent

SecretKind = Literal["api_key", "certificate", "file", "note", "password", "private_key", "ssh_key"]
KeyChange = Literal["kek", "root"]
VALUE_BYTES_MAX = 64 * 1024
_SEALED_BYTES_MAX = VALUE_BYTES_MAX + 64


class SecretOrder(Order):
    """An order to make one version of a secret, signed by an admin, or by the agent that it names.

    ``box`` is the redacted digest of the value sealed for the signer; without one the signer
    generates the value, and a key then is read by nobody. ``version`` is the next one: of two
    orders one is too late.
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
        """Return what the value is sealed under, so that its box serves no other order."""
        names = self.model_dump(include={"org", "account", "vault", "path", "version", "kind"})
        return canonical_bytes({"type": "secret.order.box", "v": 1, **names})


class SecretDelivery(Canonical):
    """A ``SecretOrder`` with its box, as they travel; the box is redacted."""

    v: Literal[1] = 1
    type: Literal["secret.delivery"] = "secret.delivery"
    id: Digest
    request: Envelope
    box: Hex = Field(max_length=2 + 2 * _SEALED_BYTES_MAX)


class VaultKeyOrder(Order):
    """An admin's order to give a vault a new KEK, or to put its KEK under another root key.

    ``sequence`` counts the changes of a vault's key from 1, so that an order serves once.
    """

    type: Literal["vault.key.order"] = "vault.key.order"
    vault: VaultName
    change: KeyChange
    sequence: Ordinal
    expires_at_ms: TimeMs | None = None


class SecretStored(Wrapped, SignerEvent):
    """One version of a secret, for ever: stored by a user or an agent, or generated inside."""

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
    """A vault's KEK is another from here on, or the same one under another root key."""

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
    """The data key of a version is wrapped anew; ``sequence`` counts that, per version, from 1."""

    v: Literal[1] = 1
    type: Literal["secret.rewrapped"] = "secret.rewrapped"
    account: Name
    vault: VaultName
    path: SecretPath
    version: Ordinal
    sequence: Ordinal
    rewrapped_at_ms: TimeMs


class ShareKeyAnnounced(SignerEvent):
    """The share key that an account's clients and importers are to seal for, from here on."""

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
    """Parse an order about a vault from canonical bytes.

    Raise ``MalformedError`` for anything else.
    """
    return decode_as(_ORDERS.validate_json, raw)


def rewrap_id(account: str, vault: str, path: str, version: int, sequence: int) -> str:
    """Return the id of the one re-wrapping of this number of a version."""
    return event_id("vault.rewrap", f"{account}/{vault}/{path}/{version}/{sequence}")


def vault_answer_id(body: bytes) -> str:
    """Return the id of the one answer to the order with these canonical bytes."""
    return event_id("vault.order", body.decode())


def vault_order_digest(body: bytes) -> str:
    """Name an order about a vault by its canonical bytes."""
    return digest("sixgate/vault-order/v1", body)


def secret_delivery_id(body: bytes) -> str:
    """Return the id of the delivery of the order with these canonical bytes."""
    return event_id("keys.requests", vault_order_digest(body))


def announcement_id(account: str, version: int, public_key: str) -> str:
    """Return the id of the one announcement of a share key to an account."""
    return event_id("share.key", f"{account}/{version}/{public_key}")
