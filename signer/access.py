"""May this agent do this with this secret? Pure; nothing is granted by default, and deny wins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from schemas.access import ACCESS_MEANING, AccessReason, Grant, Operation, Right
from schemas.registry import AgentSet
from schemas.vault_events import SecretKind
from signer.keys.paths import may_use
from signer.path_globs import matches
from signer.vaults.vault import Vault

KEY_KINDS: frozenset[SecretKind] = frozenset({"private_key", "ssh_key"})
"""What signs, and is therefore read less than other secrets."""
RIGHTS: Mapping[Operation, Right] = MappingProxyType(
    {
        "get": "read",
        "history": "read",
        "export": "read",
        "put": "write",
        "rotate": "write",
        "sign": "sign",
        "hand-over": "write",
    }
)
"""What each operation on one secret needs. To be listed, by name alone, any right suffices."""


@dataclass(frozen=True, slots=True)
class Accessor:
    """An agent as it is registered, and its grants."""

    agent: AgentSet
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A secret in a vault; ``generated`` if nobody outside ever had it."""

    vault: Vault
    path: str
    kind: SecretKind
    generated: bool


@dataclass(frozen=True, slots=True)
class Allowed:
    """The agent may."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The agent may not, and why."""

    reason: AccessReason
    detail: str


Access: TypeAlias = Allowed | Refused


def decide(accessor: Accessor, target: Target, operation: Operation, at_ms: int) -> Access:
    """Judge one operation of an agent on one secret, whichever way it came in."""
    standing = _standing(accessor.agent, target.vault, at_ms)
    if standing is not None:
        return _refused(standing, accessor, target)
    if operation == "list":
        reason = _listed(accessor, target)
    elif RIGHTS[operation] == "sign":
        reason = _signs(accessor, target)
    else:
        reason = _granted(accessor, target, RIGHTS[operation])
    if reason is None and operation in RIGHTS and RIGHTS[operation] == "read":
        reason = _key_read(accessor.agent, target)
    return _refused(reason, accessor, target) if reason else Allowed()


def admit(accessor: Accessor, vault: Vault, at_ms: int) -> Access:
    """Judge whether an agent may ask at all what is in a vault; it is shown what it may be."""
    reason = _standing(accessor.agent, vault, at_ms)
    return _because(reason, vault.name) if reason else Allowed()


def may_sign(agent: AgentSet, grants: tuple[Grant, ...], vault: str, path: str) -> bool:
    """Tell whether an agent may sign with the key at a path of a vault of its account.

    It may with its own keys, those granted by name, and those that a grant lets it sign with, or,
    while it may submit intents, read: unless one denies it.
    """
    if _says(grants, "deny", vault, path, "sign"):
        return False
    read = _says(grants, "allow", vault, path, "read") and not _says(
        grants, "deny", vault, path, "read"
    )
    return (
        may_use(agent.key_paths, agent.agent, path)
        or _says(grants, "allow", vault, path, "sign")
        or (agent.intents_api_enabled and read)
    )


def _standing(agent: AgentSet, vault: Vault, at_ms: int) -> AccessReason | None:
    if not agent.active:
        return AccessReason.AGENT_INACTIVE
    if agent.expires_at_ms is not None and agent.expires_at_ms <= at_ms:
        return AccessReason.AGENT_EXPIRED
    return AccessReason.VAULT_FOREIGN if agent.account != vault.account else None


def _granted(accessor: Accessor, target: Target, right: Right) -> AccessReason | None:
    place = (target.vault.name, target.path, right)
    if _says(accessor.grants, "deny", *place):
        return AccessReason.ACCESS_DENIED
    return None if _says(accessor.grants, "allow", *place) else AccessReason.NOT_GRANTED


def _signs(accessor: Accessor, target: Target) -> AccessReason | None:
    vault = target.vault.name
    signs = target.vault.holds_keys and may_sign(
        accessor.agent, accessor.grants, vault, target.path
    )
    return None if signs else AccessReason.KEY_NOT_GRANTED


def _listed(accessor: Accessor, target: Target) -> AccessReason | None:
    if None in (_granted(accessor, target, "read"), _granted(accessor, target, "write")):
        return None
    return None if _signs(accessor, target) is None else AccessReason.NOT_GRANTED


def _key_read(agent: AgentSet, target: Target) -> AccessReason | None:
    if target.kind not in KEY_KINDS:
        return None
    if agent.intents_api_enabled:
        return AccessReason.KEY_READ_BLOCKED
    return AccessReason.KEY_GENERATED if target.generated else None


def _says(grants: Iterable[Grant], effect: str, vault: str, path: str, right: Right) -> bool:
    return any(
        grant.effect == effect
        and right in grant.rights
        and grant.vault in ("*", vault)
        and matches(grant.paths, path)
        for grant in grants
    )


def _refused(reason: AccessReason, accessor: Accessor, target: Target) -> Refused:
    where = f"{accessor.agent.agent}, {target.path} in {target.vault.name}"
    return _because(reason, where)


def _because(reason: AccessReason, where: str) -> Refused:
    return Refused(reason, f"{ACCESS_MEANING[reason].removesuffix('.')}: {where}")
