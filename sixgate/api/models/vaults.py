"""Requests and replies of the vault routes."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.custody import Providers
from sixgate.api.models.base import LenientRequest, Reply, Request

MpcMode = Literal[
    "2of2_client_custody", "2of3_multi_hsm", "2of3_client_custody", "2of3_multi_hsm_client"
]
DisplayName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


class NewVaultRequest(LenientRequest):
    """A new vault. ``mpc_custody`` chooses its custody mode at once, and for good."""

    name: DisplayName
    description: str = Field(default="", max_length=1024)
    mpc_custody: MpcMode | None = None


class MpcRequest(Request):
    """The custody mode of an empty vault; ``providers`` are the holders of its shares, in order."""

    custody_mode: MpcMode
    providers: Providers = ()


class VaultReply(Reply):
    """A vault.

    ``mpc_custody`` is null without a custody mode of several holders: its key then wraps every data
    key. ``kek_id`` changes with each rotation of that key, and is null while there is none.
    ``is_system`` marks the automatic vaults of signing keys.
    """

    id: str
    name: str
    org_id: str
    description: str
    created_at: str | None
    created_by: str | None
    kek_id: str | None
    cmek_enabled: bool
    cmek_fingerprint: str | None
    mpc_custody: str | None
    mpc_threshold: int | None
    mpc_providers: list[str]
    is_system: bool


class VaultList(Reply):
    """Vaults, newest first; vaults without a date come last."""

    vaults: list[VaultReply]
    next_cursor: str | None = None


class KeyVaultReply(Reply):
    """The vault that holds the agents' signing keys."""

    vault_id: str
    id: str
