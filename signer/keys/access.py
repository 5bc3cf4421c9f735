"""Access control for secrets and keys: nothing is granted by default, and deny wins; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from schemas.keys.secret_access import ACCESS_MEANING, AccessReason, Operation
from schemas.keys.vault_events import SecretKind
from schemas.registry.access import Grant, Right
from schemas.registry.records import AgentSet
from signer.core.access import has_grant, may_sign
from signer.core.registry.vault import Vault

KEY_KINDS: frozenset[SecretKind] = frozenset({"private_key", "ssh_key"})
"""Kinds that can sign; they have stricter rules for reading."""
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
"""The right that each operation needs. A list shows names only, so any right suffices for it."""


@dataclass(frozen=True, slots=True)
class Accessor:
    """A registered agent and its grants."""

    agent: AgentSet
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """A secret in a vault; ``generated`` if it was created inside and never left.

    ``signs`` if the account has, or had, a signing key at the same path in any vault.
    """

    vault: Vault
    path: str
    kind: SecretKind
    generated: bool
    signs: bool = False


@dataclass(frozen=True, slots=True)
class Allowed:
    """The access is allowed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The access is refused, with the reason."""

    reason: AccessReason
    detail: str


Access: TypeAlias = Allowed | Refused


def decide(accessor: Accessor, target: Target, operation: Operation, at_ms: int) -> Access:
    """Decide one operation of an agent on one secret, for every way it can be requested."""
    problem = _agent_problem(accessor.agent, target.vault, at_ms)
    if problem is not None:
        return _refused(problem, accessor, target)
    if operation == "list":
        reason = _list_problem(accessor, target)
    elif RIGHTS[operation] == "sign":
        reason = _sign_problem(accessor, target)
    else:
        reason = _grant_problem(accessor, target, RIGHTS[operation])
    if reason is None and operation in RIGHTS and RIGHTS[operation] == "read":
        reason = _key_read_problem(accessor.agent, target, operation)
    return _refused(reason, accessor, target) if reason else Allowed()


def admit(accessor: Accessor, vault: Vault, at_ms: int) -> Access:
    """Decide whether an agent may list a vault; each entry is decided separately."""
    reason = _agent_problem(accessor.agent, vault, at_ms)
    return _refusal(reason, vault.name) if reason else Allowed()


def _agent_problem(agent: AgentSet, vault: Vault, at_ms: int) -> AccessReason | None:
    if not agent.active:
        return AccessReason.AGENT_INACTIVE
    if agent.expires_at_ms is not None and agent.expires_at_ms <= at_ms:
        return AccessReason.AGENT_EXPIRED
    return AccessReason.VAULT_FOREIGN if agent.account != vault.account else None


def _grant_problem(accessor: Accessor, target: Target, right: Right) -> AccessReason | None:
    scope = (target.vault.name, target.path, right)
    if has_grant(accessor.grants, "deny", *scope):
        return AccessReason.ACCESS_DENIED
    return None if has_grant(accessor.grants, "allow", *scope) else AccessReason.NOT_GRANTED


def _sign_problem(accessor: Accessor, target: Target) -> AccessReason | None:
    vault = target.vault.name
    signs = target.vault.holds_keys and may_sign(
        accessor.agent, accessor.grants, vault, target.path
    )
    return None if signs else AccessReason.KEY_NOT_GRANTED


def _list_problem(accessor: Accessor, target: Target) -> AccessReason | None:
    if None in (
        _grant_problem(accessor, target, "read"),
        _grant_problem(accessor, target, "write"),
    ):
        return None
    return None if _sign_problem(accessor, target) is None else AccessReason.NOT_GRANTED


def _key_read_problem(agent: AgentSet, target: Target, operation: Operation) -> AccessReason | None:
    if target.kind not in KEY_KINDS:
        return None
    if agent.intents_api_enabled:
        return AccessReason.KEY_READ_BLOCKED
    if target.generated:
        return AccessReason.KEY_GENERATED
    # Earlier versions kept an imported key as a secret too. Nothing shows whether a secret at the
    # key's path is such a copy, so none is read; its history has no values.
    return AccessReason.KEY_SIGNS if target.signs and operation != "history" else None


def _refused(reason: AccessReason, accessor: Accessor, target: Target) -> Refused:
    where = f"{accessor.agent.agent}, {target.path} in {target.vault.name}"
    return _refusal(reason, where)


def _refusal(reason: AccessReason, where: str) -> Refused:
    return Refused(reason, f"{ACCESS_MEANING[reason].removesuffix('.')}: {where}")
