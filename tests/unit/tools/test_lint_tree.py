"""Each lint rule reports a bad source and accepts a good one."""

import ast
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tools import lint_tree
from tools.lint_tree import (
    FILE_LINES_MAX,
    FUNCTION_LINES_MAX,
    ROOT,
    Finding,
    Source,
    check_dependencies,
    check_docstring,
    check_generated_files,
    check_length,
    check_locks,
    check_name,
    check_promises,
    check_server_pins,
    check_sleeps,
    check_test_imports,
)

PROJECT = """[project]
dependencies = ["orjson>=3"]
[project.optional-dependencies]
dev = ["pytest"]
"""
LOOPED = "while waiting():\n    "


def found(
    check: Callable[[Source], Iterator[Finding]], text: str, path: str = "tests/servers/test_x.py"
) -> int:
    return len(list(check(Source(ROOT / path, text, ast.parse(text)))))


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the rules on an empty tree."""
    monkeypatch.setattr(lint_tree, "ROOT", tmp_path)
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_file_or_a_function_that_is_too_long() -> None:
    function = "def f():\n" + "    pass\n" * FUNCTION_LINES_MAX
    assert not found(check_length, function)
    assert found(check_length, function + "    pass\n")
    assert not found(check_length, "x = 1\n" * FILE_LINES_MAX)
    assert found(check_length, "x = 1\n" * (FILE_LINES_MAX + 1))


def test_a_meaningless_file_name() -> None:
    assert found(check_name, "", "tests/harness/utils.py")
    assert not found(check_name, "", "tests/harness/waiting.py")


@pytest.mark.parametrize(
    "text",
    [
        "from tests.servers.test_node import api",
        "from tests.servers import test_node",
        "import tests.servers.test_node",
        "from .test_node import api",
        "from . import test_node",
        "from ..faults.test_kills import PAUSE_S",
    ],
)
def test_an_import_from_a_test_module(text: str) -> None:
    assert found(check_test_imports, text)
    assert not found(check_test_imports, text, "infra/x.py")


@pytest.mark.parametrize("text", ["from . import conftest", "from tests.harness import judge"])
def test_an_import_from_the_harness(text: str) -> None:
    assert not found(check_test_imports, text)


@pytest.mark.parametrize(
    "text",
    [
        "time.sleep(5)",
        "sleep(5)",
        "await asyncio.sleep(0.5)",
        "time.sleep(5)  # noqa",
        "time.sleep(5)  # noqa: ASYNC251",
        "time.sleep(5)  # noqa: ASYNC251, S101",
        'time.sleep(text("# why"))',
        LOOPED + "time.sleep(30)",
        LOOPED + "time.sleep(delay_s)",
        "DELAY_S = 30\n" + LOOPED + "sleep(DELAY_S)",
    ],
)
def test_a_sleep_without_a_reason(text: str) -> None:
    assert found(check_sleeps, text)
    assert not found(check_sleeps, text, "infra/x.py")


@pytest.mark.parametrize(
    "text",
    [
        "time.sleep(5)  # the length of the outage",
        "# The length of the outage.\ntime.sleep(5)",
        "time.sleep(5)  # noqa: ASYNC251 - nothing goes on meanwhile",
        "await asyncio.sleep(0)",
        LOOPED + "time.sleep(0.2)",
        "LOOK_S = 0.5\n" + LOOPED + "time.sleep(LOOK_S / 5)",
    ],
)
def test_a_sleep_with_a_reason_and_one_that_polls(text: str) -> None:
    assert not found(check_sleeps, text)


def test_a_harness_module_without_a_docstring() -> None:
    assert found(check_docstring, "x = 1\n", "tests/harness/x.py")
    assert not found(check_docstring, '"""What x is."""\n', "tests/harness/x.py")


def test_dependencies_without_a_line_and_lines_without_a_dependency(tree: Path) -> None:
    write(tree / "pyproject.toml", PROJECT)
    write(tree / "docs/dependencies.md", "| orjson | why |\n| flask | why |\n")
    names = {finding.what.split()[0] for finding in check_dependencies()}
    assert names == {"flask", "pytest", "setuptools"}


@pytest.mark.parametrize("text", ["", "orjson==3.1\n", "# https://x\norjson==3.1 \\\n"])
def test_a_lock_without_pins_or_hashes_or_with_an_address(tree: Path, text: str) -> None:
    write(tree / "requirements/bad.txt", text)
    write(tree / "requirements/good.txt", "orjson==3.1 \\\n    --hash=sha256:00\n")
    (finding,) = check_locks()
    assert finding.path.name == "bad.txt"


def test_server_pins_without_a_hash(tree: Path) -> None:
    pins = tree / "tools/local/pins"
    write(pins / "package-lock.json", '{"packages": {"": {}, "x": {}, "y": {"integrity": "z"}}}')
    write(pins / "jars.sha256", f"{'0' * 64}  good.jar\nbad.jar\n")
    write(pins / "other.txt", "https://x\n")
    assert [finding.path.name for finding in check_server_pins()] == [
        "other.txt", "package-lock.json", "jars.sha256",
    ]  # fmt: skip


def test_a_generated_file_that_git_tracks(tree: Path) -> None:
    write(tree / "x/__pycache__/x.pyc", "")
    write(tree / "x/x.py", "")
    for words in (["init", "-q"], ["add", "-f", "."]):
        subprocess.run(["git", *words], cwd=tree, check=True)  # noqa: S607 - the installed git
    (finding,) = check_generated_files()
    assert finding.path.name == "x.pyc"


def test_a_promise_that_names_a_missing_test(tree: Path) -> None:
    write(tree / "tests/servers/test_x.py", "")
    write(tree / "docs/promises.md", "`test_x.py` `tests/servers/` `test_y.py` `tests/faults/`\n")
    assert {finding.what.split()[0] for finding in check_promises()} == {
        "test_y.py", "tests/faults/",
    }  # fmt: skip
