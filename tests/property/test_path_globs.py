"""Globs against a slow reference that tries every possible match."""

from hypothesis import given

from signer.core.access import matches
from tests.harness.builders.path_globs import globs, paths, spelled_out


@given(globs, paths)
def test_a_glob_matches_what_the_reference_matches(glob: str, path: str) -> None:
    assert matches(glob, path) is spelled_out(tuple(glob.split("/")), tuple(path.split("/")))


@given(paths)
def test_a_path_is_its_own_glob_and_no_longer_ones(path: str) -> None:
    assert matches(path, path)
    assert not matches(path, f"{path}/a")
    assert not matches(f"{path}/a", path)
    assert matches("**", path)
    assert matches(f"{path}/**", path)
    assert matches(f"**/{path}", path)


def test_an_adversarial_glob_is_matched_fast() -> None:
    stars = "*".join("a" * 31)
    assert not matches("/".join([stars] * 8), "/".join(["a" * 62 + "b"] * 8))
    assert not matches("/".join(["**", "a"] * 4), "/".join(["a"] * 7 + ["b"]))
