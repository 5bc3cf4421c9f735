"""The words of custody: modes, tiers, who holds shares, and how wrapped keys stand in events."""

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
"""The vaults of signing keys. Every account has its own; no other name begins as theirs do."""

PROVIDERS = ("gcp", "aws", "azure")
"""The providers of a vault that names none, in this order."""
BLOB_LENGTH_MAX = 16 * 1024

Blob = Annotated[Hex, Field(max_length=BLOB_LENGTH_MAX)]
Providers = Annotated[tuple[Name, ...], Field(max_length=len(PROVIDERS))]


class WrappedShareText(Canonical):
    """A provider's share as that provider wrapped it; its number is its place among its like."""

    provider: Name
    blob: Blob


WrappedShares = Annotated[
    tuple[WrappedShareText, ...], Field(min_length=1, max_length=len(PROVIDERS))
]


class Wrapped(Canonical):
    """A data key as its holders keep it: under a vault's key, or in shares of its providers."""

    wrapped_kek: Blob | None = None
    wrapped_dek: Blob | None = None
    wrapped_shares: WrappedShares | None = None
