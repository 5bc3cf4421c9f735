"""The right to sign: which keys an agent may use. Nothing is granted by default, and deny wins.

Pure. ``signer.keys.access`` decides the other operations on keys and secrets.
"""

from collections.abc import Iterable

from schemas.registry.access import Grant, Right
from schemas.registry.records import AgentSet
from signer.core.path_globs import matches


def may_sign(agent: AgentSet, grants: tuple[Grant, ...], vault: str, path: str) -> bool:
    """Return whether an agent may sign with the key at a path in a vault of its account.

    It may use its own keys, keys granted by name, keys that a grant lets it sign with, and, while
    it may submit intents, keys that a grant lets it read. A grant that denies signing wins.
    """
    if has_grant(grants, "deny", vault, path, "sign"):
        return False
    read = has_grant(grants, "allow", vault, path, "read") and not has_grant(
        grants, "deny", vault, path, "read"
    )
    return (
        may_use(agent.key_paths, agent.agent, path)
        or has_grant(grants, "allow", vault, path, "sign")
        or (agent.intents_api_enabled and read)
    )


def may_use(key_paths: tuple[str, ...], agent: str, path: str) -> bool:
    """Return whether an agent may sign with the key at a path: its own, or granted by name."""
    return is_own(agent, path) or path in key_paths


def is_own(agent: str, path: str) -> bool:
    """Return whether a path belongs to an agent, which may use it without a grant."""
    return path.startswith((f"agents/{agent}/keys/", f"agents/{agent}/chains/"))


def has_grant(grants: Iterable[Grant], effect: str, vault: str, path: str, right: Right) -> bool:
    """Return whether a grant has this effect and right for a path of a vault."""
    return any(
        grant.effect == effect
        and right in grant.rights
        and grant.vault in ("*", vault)
        and matches(grant.paths, path)
        for grant in grants
    )
