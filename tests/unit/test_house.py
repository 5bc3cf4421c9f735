"""Rules about the tree itself."""

import ast
import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from schemas.reasons import MEANING, Reason
from schemas.topics import TOPICS, Topic

ROOT = Path(__file__).parents[2]
PACKAGES = ("schemas", "signer", "streams", "sixgate", "infra", "tests", "benchmarks")
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 400
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FORBIDDEN_NAMES = re.compile(r"util|helper|manager|common")


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    documented = ast.get_docstring(node) is not None
    start = (first.end_lineno or 0) + 1 if documented else first.lineno
    return (node.end_lineno or 0) - start + 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= FILE_LINES_MAX
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= FUNCTION_LINES_MAX, node.name


def test_no_file_is_named_for_being_nothing_in_particular() -> None:
    assert [path for path in SOURCES if FORBIDDEN_NAMES.search(path.stem)] == []


def test_every_dependency_has_a_line_on_why() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[<>=~\[]", requirement)[0] for requirement in wanted} | {"setuptools"}
    page = (ROOT / "docs" / "dependencies.md").read_text()
    documented = set(re.findall(r"^\| ([a-z0-9-]+) \|", page, re.MULTILINE)) - {"package"}
    assert documented == names


def test_locks_carry_hashes_and_no_addresses() -> None:
    for lock in (ROOT / "requirements").glob("*.txt"):
        text = lock.read_text()
        assert "://" not in text
        pinned = re.findall(r"^[a-z0-9-]+==.*$", text, re.MULTILINE)
        assert pinned
        assert all(line.endswith("\\") for line in pinned), "a pin without a hash"


def test_the_servers_pins_carry_hashes_and_no_addresses() -> None:
    pins = ROOT / "infra" / "local" / "pins"
    assert all("://" not in file.read_text() for file in pins.iterdir())
    packages = json.loads((pins / "package-lock.json").read_bytes())["packages"]
    assert all("integrity" in package for name, package in packages.items() if name)
    jars = (pins / "jars.sha256").read_text().splitlines()
    assert all(re.fullmatch(r"[0-9a-f]{64}  [\w.-]+\.jar", line) for line in jars)


def test_every_reason_has_a_meaning_and_its_line_in_the_docs() -> None:
    assert set(MEANING) == set(Reason)
    page = (ROOT / "docs" / "reasons.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [f"| `{reason}` | {meaning} |" for reason, meaning in MEANING.items()]


def test_every_topic_is_in_the_table() -> None:
    assert set(TOPICS) == set(Topic)


def test_the_tree_is_free_of_generated_files() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git of the machine
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    assert [
        name for name in listed.split("\0") if "__pycache__" in name or ".egg-info" in name
    ] == []
