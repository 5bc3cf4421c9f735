"""Custody modes, tiers and providers of vaults."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.fields import Name

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
PROVIDER_COUNT: dict[CustodyMode, int] = {
    "envelope": 0,
    "2of2_client_custody": 0,
    "2of3_multi_hsm": 3,
    "2of3_client_custody": 2,
    "2of3_multi_hsm_client": 3,
}
"""The number of providers that a vault of each mode names."""
SERVER = "server"
"""The holder name of the server's half of a data key; reserved, so no provider has this name."""

Providers = Annotated[tuple[Name, ...], Field(max_length=len(PROVIDERS))]
