"""Custody modes, tiers, providers, and the wrapped keys in events."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Hex, Name

CustodyMode = Literal[
    "envelope",
    "2of2_client_custody",
    "2of3_multi_hsm",
    "2of3_client_custody",
    "2of3_multi_hsm_client",
]
Tier = Literal["pro", "team", "business", "enterprise"]

AGENT_KEYS = "__agent-keys"
TREASURY_KEYS = "__treasury-keys"
KEY_VAULTS = (AGENT_KEYS, TREASURY_KEYS)
"""The vaults of signing keys, one of each per account; no other vault name begins with ``__``."""

PROVIDERS = ("gcp", "aws", "azure")
"""The default providers of a vault, in this order."""
SERVER = "server"
"""The holder name of the server's half of a data key; reserved, so no provider has this name."""
BLOB_LENGTH_MAX = 16 * 1024

Blob = Annotated[Hex, Field(max_length=BLOB_LENGTH_MAX)]
Providers = Annotated[tuple[Name, ...], Field(max_length=len(PROVIDERS))]


class WrappedShareText(Canonical):
    """A share that its provider wrapped; its index in the list is its share number."""

    provider: Name
    blob: Blob


WrappedShares = Annotated[
    tuple[WrappedShareText, ...], Field(min_length=1, max_length=len(PROVIDERS))
]


class Wrapped(Canonical):
    """A wrapped data key: wrapped by a vault key, or split into shares of providers."""

    wrapped_kek: Blob | None = None
    wrapped_dek: Blob | None = None
    wrapped_shares: WrappedShares | None = None
