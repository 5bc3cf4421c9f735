"""Strategies for paths and globs, and a slow reference for what a glob matches."""

import re
from functools import cache

from hypothesis import strategies as st

parts = st.text("ab", min_size=1, max_size=3)
paths = st.lists(parts, min_size=1, max_size=5).map("/".join)
glob_parts = st.one_of(st.just("**"), st.just("*"), st.text("ab*", min_size=1, max_size=4))
globs = st.lists(glob_parts, min_size=1, max_size=5).map("/".join)


@cache
def spelled_out(glob: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Match by trying every number of path parts for every wildcard."""
    if not glob:
        return not path
    if glob[0] == "**":
        return any(spelled_out(glob[1:], path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and part_of(glob[0], path[0]) and spelled_out(glob[1:], path[1:])


def part_of(glob: str, part: str) -> bool:
    return bool(re.fullmatch(re.escape(glob).replace(r"\*", ".*"), part))
