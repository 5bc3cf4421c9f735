"""Globs on the parts of a path; pure, and quadratic at worst, whatever an operator wrote."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
ANY_CHARACTERS, ANY_PARTS = "*", "**"


def matches(glob: str, path: str) -> bool:
    """Tell whether a path is one that a glob stands for; upper and lower case differ.

    ``*`` stands for any characters of one part, none too; a part ``**`` for any parts, none too.
    """
    return _matches(glob.split("/"), path.split("/"), ANY_PARTS, _part_matches)


def _part_matches(glob: str, part: str) -> bool:
    return _matches(glob, part, ANY_CHARACTERS, str.__eq__)


def _matches(
    glob: Sequence[Item], items: Sequence[Item], any_run: Item, same: Callable[[Item, Item], bool]
) -> bool:
    """Match as wildcards are: what follows the last one that was met is tried ever further on."""
    at = place = 0
    after_run, resume = -1, 0
    while place < len(items):
        if at < len(glob) and glob[at] == any_run:
            at, after_run, resume = at + 1, at + 1, place
        elif at < len(glob) and same(glob[at], items[place]):
            at, place = at + 1, place + 1
        elif after_run >= 0:
            resume += 1
            at, place = after_run, resume
        else:
            return False
    return all(item == any_run for item in glob[at:])
