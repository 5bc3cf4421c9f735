"""Requests and replies of the vault routes."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, StringConstraints

from schemas.registry.custody import Providers
from sixgate.api.models.base import LenientRequest, Reply, Request

MpcMode = Literal[
    "2of2_client_custody", "2of3_multi_hsm", "2of3_client_custody", "2of3_multi_hsm_client"
]
_FINGERPRINT = re.compile(r"(?:sha256:|0x)?([0-9a-fA-F]{64})", re.ASCII)
DisplayName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]


def _fingerprint(text: str) -> str:
    found = _FINGERPRINT.fullmatch(text)
    if found is None:
        raise ValueError("must be 64 hexadecimal digits, such as sha256:2c26b46b…")
    return f"0x{found[1].lower()}"


Fingerprint = Annotated[str, Field(max_length=80), AfterValidator(_fingerprint)]


class NewVaultRequest(LenientRequest):
    """A new vault. ``mpc_custody`` sets its custody mode, which then never changes."""

    name: DisplayName
    description: str = Field(default="", max_length=1024)
    mpc_custody: MpcMode | None = None


class MpcRequest(Request):
    """The custody mode of an empty vault; ``providers`` are the holders of its shares, in order.

    ``mpc_custody`` is accepted as another name of ``custody_mode``.
    """

    custody_mode: MpcMode = Field(validation_alias=AliasChoices("custody_mode", "mpc_custody"))
    providers: Annotated[Providers, Field(strict=False)] = ()  # JSON has no tuples


class VaultReply(Reply):
    """A vault.

    ``mpc_custody`` is null in the mode ``envelope``, in which one vault key wraps every data key.
    ``kek_id`` names this vault key: it changes with each rotation, and is null without a vault key.
    A customer key authenticates ``org_id`` and ``account`` together with each value. ``is_system``
    marks the two vaults of signing keys, which Sixgate makes itself.
    """

    id: str
    name: str
    org_id: str
    account: str
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


class CmekRequest(Request):
    """The fingerprint of the customer's key: SHA-256 of its 32 bytes, in 64 hexadecimal digits.

    ``sha256:`` or ``0x`` before the digits is accepted.
    """

    fingerprint: Fingerprint


class CmekRotationRequest(Request):
    """The fingerprint of the next customer key; headers carry both keys."""

    new_fingerprint: Fingerprint


class CmekRotationReply(Reply):
    """A rotation of a vault's customer key.

    ``status`` is ``running``, ``completed`` or ``failed``. ``skipped`` counts secrets whose newest
    version is disabled or not encrypted by the customer; they are not among ``total_secrets``.
    ``id`` repeats ``job_id``.
    """

    id: str
    job_id: str
    status: str
    total_secrets: int
    processed: int
    skipped: int
    error: str | None


class VaultList(Reply):
    """Vaults, newest first; vaults without a date come last."""

    vaults: list[VaultReply]
    next_cursor: str | None


class KeyVaultReply(Reply):
    """The vault that holds the agents' signing keys."""

    vault_id: str
    id: str
