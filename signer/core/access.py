"""The right to sign: which keys an agent may use. Nothing is granted by default, and deny wins.

Pure. Matching a path takes quadratic time at worst, for any glob. ``signer.keys.access`` decides
the other operations on keys and secrets.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from schemas.registry.access import Grant, Right
from schemas.registry.records import AgentSet

Item = TypeVar("Item")
ANY_CHARACTERS, ANY_PARTS = "*", "**"


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


def matches(glob: str, path: str) -> bool:
    """Return whether a path matches a glob; case-sensitive.

    ``*`` matches zero or more characters within a part, a part ``**`` zero or more parts.
    """
    return _matches(glob.split("/"), path.split("/"), ANY_PARTS, _part_matches)


def may_overlap(one: str, other: str) -> bool:
    """Return whether some path may match both globs; never False if one does.

    Compares part by part up to the first ``**``, and takes every wildcard as a match.
    """
    parts, others = one.split("/"), other.split("/")
    for part, other_part in zip(parts, others, strict=False):
        if ANY_PARTS in (part, other_part):
            return True
        if part != other_part and ANY_CHARACTERS not in part + other_part:
            return False
    rest = parts[len(others) :] + others[len(parts) :]
    return all(part == ANY_PARTS for part in rest)


def _part_matches(glob: str, part: str) -> bool:
    return _matches(glob, part, ANY_CHARACTERS, str.__eq__)


def _matches(
    glob: Sequence[Item], items: Sequence[Item], any_run: Item, same: Callable[[Item, Item], bool]
) -> bool:
    """Match greedily; on a mismatch backtrack only to the last wildcard, one item further on."""
    in_glob = in_items = 0
    after_wildcard, retry_from = -1, 0
    while in_items < len(items):
        if in_glob < len(glob) and glob[in_glob] == any_run:
            in_glob, after_wildcard, retry_from = in_glob + 1, in_glob + 1, in_items
        elif in_glob < len(glob) and same(glob[in_glob], items[in_items]):
            in_glob, in_items = in_glob + 1, in_items + 1
        elif after_wildcard >= 0:
            retry_from += 1
            in_glob, in_items = after_wildcard, retry_from
        else:
            return False
    return all(item == any_run for item in glob[in_glob:])
