"""The client is a distribution of its own: it needs nothing of the rest of the tree."""

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted((ROOT / "client" / "sixgate_client").rglob("*.py"))
KAFKA = {"aiokafka", "cryptography"}
PROJECTS = [
    tomllib.loads((ROOT / path / "pyproject.toml").read_text())["project"]
    for path in (".", "client")
]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [name.name for name in node.names] if isinstance(node, ast.Import) else []
        yield from (name.partition(".")[0] for name in names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_module_imports_only_what_its_extra_installs(path: Path) -> None:
    allowed = KAFKA if path.parent.name == "kafka" else {"httpx"}
    foreign = set(imported(path)) - sys.stdlib_module_names - {"sixgate_client"}
    assert foreign <= allowed


def test_both_distributions_have_one_version() -> None:
    main, client = PROJECTS
    assert main["version"] == client["version"]
    assert f"sixgate-client=={client['version']}" in main["dependencies"]


def test_the_clients_requirements_are_the_main_projects() -> None:
    main, client = PROJECTS
    required = client["dependencies"] + client["optional-dependencies"]["kafka"]
    assert set(required) <= set(main["dependencies"])
