"""Rotation of a provider's root key in a vault: the admin's order and the signer's answer."""

from typing import Literal

from pydantic import Field

from schemas.dsse import Envelope
from schemas.fields import Name, Ordinal, TimeMs, VaultName
from schemas.keys.order import Order
from schemas.signer_event import SignerEvent


class ProviderRootOrder(Order):
    """An admin's order to rewrap a provider's shares in a vault under its current root key.

    ``sequence`` counts a provider's root keys in a vault from 1, so an order cannot be replayed.
    """

    type: Literal["provider.root.order"] = "provider.root.order"
    vault: VaultName
    provider: Name
    sequence: Ordinal
    expires_at_ms: TimeMs | None = None


class ProviderRootChanged(SignerEvent):
    """A provider's shares in a vault are rewrapped under ``kms_key``, version by version.

    A ``SecretRewrapped`` records each; these events determine the remaining versions.
    """

    v: Literal[1] = 1
    type: Literal["provider.root.changed"] = "provider.root.changed"
    request: Envelope
    account: Name
    vault: VaultName
    provider: Name
    sequence: Ordinal
    kms_key: str = Field(max_length=512)
    changed_at_ms: TimeMs
