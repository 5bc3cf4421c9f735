"""A provider's shares go under another root key of it: an admin's order, and what it came to."""

from typing import Literal

from pydantic import Field

from schemas.dsse import Envelope
from schemas.fields import Name, Ordinal, TimeMs, VaultName
from schemas.order import Order
from schemas.signer_event import SignerEvent


class ProviderRootOrder(Order):
    """An admin's order to put a provider's shares in a vault under the root key that it has now.

    ``sequence`` counts a provider's new roots in a vault from 1, so that an order serves once.
    """

    type: Literal["provider.root.order"] = "provider.root.order"
    vault: VaultName
    provider: Name
    sequence: Ordinal
    expires_at_ms: TimeMs | None = None


class ProviderRootChanged(SignerEvent):
    """From here on a provider's shares in a vault come under ``kms_key``, version by version.

    Each is told by a ``SecretRewrapped``; what is left follows from those.
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
