"""The page of benchmarks keeps what other commands and other parts measured."""

from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.page import keep


def figure(what: str, group: str = "group") -> Figure:
    return Figure(group, what, 1.0, "ms", "peer", 2.0, "none", holds=True)


def test_one_command_keeps_what_the_other_measured(tmp_path: Path) -> None:
    keep("make a", [figure("first")], "notes of a", tmp_path)
    keep("make b", [figure("second")], "notes of b", tmp_path)
    keep("make a", [figure("third")], "notes of a", tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.index("## `make a`") < page.index("third") < page.index("## `make b`")
    assert "second" in page
    assert "first" not in page


def test_a_part_that_is_measured_again_replaces_its_groups_alone(tmp_path: Path) -> None:
    keep("make a", [figure("first", "a"), figure("second", "b")], "notes", tmp_path)
    keep("make a", [figure("third", "a")], "notes", tmp_path, whole=False)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.index("third") < page.index("second")
    assert "first" not in page
