"""Access to secrets: the record of every use, and the reasons of refusals."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from schemas.canonical import Canonical
from schemas.fields import Digest, KeyId, Name, Ordinal, SecretPath, Text, TimeMs, VaultName

Operation = Literal["list", "get", "history", "export", "put", "rotate", "sign", "hand-over"]


class AccessReason(StrEnum):
    """The code of a refused access; a code never changes its meaning."""

    AGENT_INACTIVE = "agent_inactive"
    AGENT_EXPIRED = "agent_expired"
    VAULT_FOREIGN = "vault_foreign"
    ACCESS_DENIED = "access_denied"
    NOT_GRANTED = "not_granted"
    KEY_NOT_GRANTED = "key_not_granted"
    KEY_READ_BLOCKED = "key_read_blocked"
    KEY_GENERATED = "key_generated"
    KEY_SIGNS = "key_signs"


ACCESS_MEANING: dict[AccessReason, str] = {
    AccessReason.AGENT_INACTIVE: "The agent was deactivated.",
    AccessReason.AGENT_EXPIRED: "The agent's registration has expired.",
    AccessReason.VAULT_FOREIGN: "The vault belongs to another account.",
    AccessReason.ACCESS_DENIED: "A deny grant of the agent applies; it overrides every allow.",
    AccessReason.NOT_GRANTED: "No grant of the agent allows it.",
    AccessReason.KEY_NOT_GRANTED: "No grant of the agent allows it to sign with the key.",
    AccessReason.KEY_READ_BLOCKED: "An agent that may submit intents cannot read private keys.",
    AccessReason.KEY_GENERATED: "A private key that Sixgate generated cannot be read.",
    AccessReason.KEY_SIGNS: "Neither a signing key nor a private key at its path can be read.",
}


class SecretAccess(Canonical):
    """One use of a secret, allowed or refused: by whom, from where, when. Holds no secret value.

    ``path`` is absent when a vault is listed. ``actor`` is an agent or operator. ``failed`` names
    the providers that failed during the use.
    """

    v: Literal[1] = 1
    type: Literal["secret.access"] = "secret.access"
    id: Digest
    org: Name
    account: Name
    vault: VaultName
    path: SecretPath | None = None
    version: Ordinal | None = None
    operation: Operation
    actor: KeyId
    client_address: Annotated[str, Field(max_length=64)]
    at_ms: TimeMs
    allowed: bool
    reason: AccessReason | None = None
    detail: Text = ""
    failed: tuple[Name, ...] = Field(default=(), max_length=3)
