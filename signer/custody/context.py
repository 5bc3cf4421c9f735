"""Contexts of blobs: the names that are authenticated with a blob at every layer.

A blob opens only under the names it was sealed under, so it cannot be moved to another path or
vault, swapped with another version, or read in another custody mode.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.canonical import Canonical, canonical_bytes
from schemas.fields import SAFE_INTEGER_MAX
from schemas.registry.custody import SERVER, CustodyMode

# Any text is safe here, since canonical JSON separates fields. The length keeps the whole AAD
# under the 8 KiB limit of cloud KMSs.
_Label = Annotated[str, Field(min_length=1, max_length=256)]


class Layer(StrEnum):
    """What a blob holds: a vault's key, a secret version's data key or a share of it, a secret."""

    KEK = "kek"
    DEK = "dek"
    SHARE = "share"
    SECRET = "secret"  # noqa: S105 - the name of a layer


class VaultContext(Canonical):
    """A vault: the context of its KEK."""

    org: _Label
    account: _Label
    vault: _Label
    mode: CustodyMode

    def aad(self) -> bytes:
        """Return the canonical bytes that are authenticated with the vault's wrapped KEK."""
        return _aad(Layer.KEK, self)


class SecretContext(Canonical):
    """One version of one secret: the context of its DEK. Versions count from 1."""

    org: _Label
    account: _Label
    vault: _Label
    path: _Label
    version: int = Field(ge=1, le=SAFE_INTEGER_MAX)
    mode: CustodyMode

    @property
    def vault_context(self) -> VaultContext:
        """The vault this secret is in."""
        return VaultContext(org=self.org, account=self.account, vault=self.vault, mode=self.mode)

    def aad(self, layer: Layer) -> bytes:
        """Return the canonical bytes that are authenticated with this secret's blob of a layer.

        The KEK is shared by the whole vault, so its AAD names no path and no version. A share
        wrapped under the KEK is the server's half.
        """
        if layer is Layer.KEK:
            return self.vault_context.aad()
        return self.share_aad(SERVER) if layer is Layer.SHARE else _aad(layer, self)

    def share_aad(self, holder: str) -> bytes:
        """Return the canonical bytes that are authenticated with a holder's share of the DEK."""
        return _aad(Layer.SHARE, self, holder=holder)


def _aad(layer: Layer, context: Canonical, **more: str) -> bytes:
    return canonical_bytes(
        {"type": "custody.context", "v": 1, "layer": layer.value, **context.model_dump(), **more}
    )
