"""Globs against every way in which one could be read, spelled out."""

import re
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from signer.path_globs import matches

parts = st.text("ab", min_size=1, max_size=3)
paths = st.lists(parts, min_size=1, max_size=5).map("/".join)
glob_parts = st.one_of(st.just("**"), st.just("*"), st.text("ab*", min_size=1, max_size=4))
globs = st.lists(glob_parts, min_size=1, max_size=5).map("/".join)


@cache
def spelled_out(glob: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Try every number of parts for every run of them."""
    if not glob:
        return not path
    if glob[0] == "**":
        return any(spelled_out(glob[1:], path[skip:]) for skip in range(len(path) + 1))
    return bool(path) and part_of(glob[0], path[0]) and spelled_out(glob[1:], path[1:])


def part_of(glob: str, part: str) -> bool:
    return bool(re.fullmatch(re.escape(glob).replace(r"\*", ".*"), part))


@given(globs, paths)
def test_a_glob_is_what_trying_everything_finds(glob: str, path: str) -> None:
    assert matches(glob, path) is spelled_out(tuple(glob.split("/")), tuple(path.split("/")))


@given(paths)
def test_a_path_is_its_own_glob_and_no_longer_ones(path: str) -> None:
    assert matches(path, path)
    assert not matches(path, f"{path}/a")
    assert not matches(f"{path}/a", path)
    assert matches("**", path)
    assert matches(f"{path}/**", path)
    assert matches(f"**/{path}", path)


def test_a_glob_made_to_take_for_ever_does_not() -> None:
    stars = "*".join("a" * 31)
    assert not matches("/".join([stars] * 8), "/".join(["a" * 62 + "b"] * 8))
    assert not matches("/".join(["**", "a"] * 4), "/".join(["a"] * 7 + ["b"]))
