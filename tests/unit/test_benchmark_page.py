"""The benchmark page keeps the figures of other commands and other parts."""

from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.page import save


def figure(what: str, group: str = "group") -> Figure:
    return Figure(group, what, 1.0, "ms", "peer", 2.0, "no bound", holds=True)


def test_a_command_keeps_the_figures_of_other_commands(tmp_path: Path) -> None:
    save("make a", [figure("first")], "notes of a", tmp_path)
    save("make b", [figure("second")], "notes of b", tmp_path)
    save("make a", [figure("third")], "notes of a", tmp_path)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.index("## `make a`") < page.index("third") < page.index("## `make b`")
    assert "second" in page
    assert "first" not in page


def test_an_incomplete_run_replaces_only_its_groups(tmp_path: Path) -> None:
    save("make a", [figure("first", "a"), figure("second", "b")], "notes", tmp_path)
    save("make a", [figure("third", "a")], "notes", tmp_path, complete=False)
    page = (tmp_path / "benchmarks.md").read_text()
    assert page.index("third") < page.index("second")
    assert "first" not in page
