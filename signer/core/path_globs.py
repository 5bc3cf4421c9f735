"""Path globs. Pure; the worst case is quadratic, for any glob."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
ANY_CHARACTERS, ANY_PARTS = "*", "**"


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
