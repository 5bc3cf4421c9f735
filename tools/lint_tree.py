"""Linter for the source tree: prints ``path:line: what`` for each finding; exit code 1 if any.

Ruff, mypy and import-linter check single files. These rules check the tree: sizes, names,
dependencies and pins, imports and sleeps of tests, and that documented tests exist.
"""

import ast
import io
import json
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "schemas",
    "signer",
    "streams",
    "sixgate",
    "client",
    "infra",
    "tools",
    "tests",
    "benchmarks",
)
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FORBIDDEN_NAMES = re.compile(r"util|helper|manager|common")
# A path below tests/, or the bare name of a test module, as docs/promises.md writes them.
TEST_PATHS = re.compile(r"`(tests/[^`\s]*|test_[\w*]+\.py)`")
POLL_S_MAX = 1
NOQA = re.compile(r"noqa\b(:\s*[A-Z]+\d+([,\s]+[A-Z]+\d+)*)?")
JAR_PIN = re.compile(r"[0-9a-f]{64}  [\w.-]+\.jar")


class Finding(NamedTuple):
    """One broken rule, at a line of a file."""

    path: Path
    line: int
    what: str


class Source(NamedTuple):
    """One Python file, read and parsed."""

    path: Path
    text: str
    tree: ast.Module


def check_length(source: Source) -> Iterator[Finding]:
    """Bound the lines of a file, and those of a function's body without its docstring."""
    lines = source.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield Finding(source.path, lines, f"the file has more than {FILE_LINES_MAX} lines")
    for node in ast.walk(source.tree):
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and _body_lines(node) > FUNCTION_LINES_MAX
        ):
            what = f"the body of {node.name} has more than {FUNCTION_LINES_MAX} lines"
            yield Finding(source.path, node.lineno, what)


def check_name(source: Source) -> Iterator[Finding]:
    """Forbid meaningless file names."""
    if found := FORBIDDEN_NAMES.search(source.path.stem):
        yield Finding(
            source.path,
            1,
            f"{found.group()!r} in a file's name is meaningless: name what the file does",
        )


def check_test_imports(source: Source) -> Iterator[Finding]:
    """Forbid imports from test modules in tests/: shared code belongs in tests/harness."""
    if source.path.relative_to(ROOT).parts[0] != "tests":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ImportFrom):
            module = _imported_module(source.path, node)
            names = [module, *(f"{module}.{name.name}" for name in node.names)]
        elif isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        else:
            continue
        imported = [name for name in names if name.startswith("tests.") and ".test_" in name]
        if imported:
            what = f"imports from the test module {imported[0]}; share it in tests/harness"
            yield Finding(source.path, node.lineno, what)


def check_sleeps(source: Source) -> Iterator[Finding]:
    """Require a comment, on the same line or the line above, for each sleep in tests/.

    A ``noqa`` without an explanation does not count. Exempt: ``sleep(0)``, which yields, and sleeps
    shorter than ``POLL_S_MAX`` in a ``while`` loop, which poll for a state.
    """
    if source.path.relative_to(ROOT).parts[0] != "tests":
        return
    comments, constants = _comments(source.text), _constants(source.tree)
    loops = {id(node) for loop in ast.walk(source.tree) if isinstance(loop, ast.While)
             for node in ast.walk(loop)}  # fmt: skip
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not _is_sleep(node):
            continue
        sleep_s = _seconds(node.args[0], constants) if node.args else None
        if sleep_s == 0 or (id(node) in loops and sleep_s is not None and sleep_s < POLL_S_MAX):
            continue
        if comments.isdisjoint({node.lineno - 1, node.end_lineno or node.lineno}):
            yield Finding(source.path, node.lineno, "sleeps without a comment on why")


def check_docstring(source: Source) -> Iterator[Finding]:
    """Require a module docstring in tests/harness."""
    if source.path.is_relative_to(ROOT / "tests" / "harness") and not ast.get_docstring(
        source.tree
    ):
        yield Finding(source.path, 1, "a harness module needs a docstring")


def check_dependencies() -> Iterator[Finding]:
    """Require docs/dependencies.md to list exactly the dependencies, each with a reason."""
    page = ROOT / "docs" / "dependencies.md"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    requirements = project["dependencies"] + project["optional-dependencies"]["dev"]
    names = {re.split(r"[<>=~\[]", requirement)[0] for requirement in requirements} | {"setuptools"}
    rows = re.findall(r"^\| ([a-z0-9-]+) \|", page.read_text(), re.MULTILINE)
    documented = set(rows) - {"package"}
    for name in sorted(names - documented):
        yield Finding(page, 1, f"{name} is a dependency that the page does not list")
    for name in sorted(documented - names):
        yield Finding(page, 1, f"{name} is listed but is not a dependency")


def check_locks() -> Iterator[Finding]:
    """Require a hash for every pin of the Python lock files, and forbid URLs in them."""
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        pins = 0
        for number, line in enumerate(lock.read_text().splitlines(), 1):
            if "://" in line:
                yield Finding(lock, number, "a lock file must not contain a URL")
            if re.match(r"[a-z0-9-]+==", line):
                pins += 1
                if not line.endswith("\\"):
                    yield Finding(lock, number, "a pin without a hash")
        if not pins:
            yield Finding(lock, 1, "a lock file without pins")


def check_server_pins() -> Iterator[Finding]:
    """Require a hash for every pinned npm package and jar, and forbid URLs."""
    pins = ROOT / "tools" / "local" / "pins"
    for file in sorted(pins.iterdir()):
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if "://" in line:
                yield Finding(file, number, "a pin must not contain a URL")
    lock = pins / "package-lock.json"
    for name, package in json.loads(lock.read_bytes())["packages"].items():
        if name and "integrity" not in package:
            yield Finding(lock, 1, f"{name} is pinned without a hash")
    jars = pins / "jars.sha256"
    for number, line in enumerate(jars.read_text().splitlines(), 1):
        if not JAR_PIN.fullmatch(line):
            yield Finding(jars, number, "not a SHA-256 and the name of a jar")


def check_generated_files() -> Iterator[Finding]:
    """Forbid generated files in git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - the installed git
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    for name in listed.split("\0"):
        if "__pycache__" in name or ".egg-info" in name:
            yield Finding(ROOT / name, 1, "a generated file is tracked")


def check_promises() -> Iterator[Finding]:
    """Require that every test named in docs/promises.md exists. Globs are allowed."""
    page = ROOT / "docs" / "promises.md"
    for number, line in enumerate(page.read_text().splitlines(), 1):
        for name in TEST_PATHS.findall(line):
            pattern = name.rstrip("/") if name.startswith("tests/") else f"tests/**/{name}"
            if not any(ROOT.glob(pattern)):
                yield Finding(page, number, f"{name} does not name an existing test")


FILE_CHECKS: tuple[Callable[[Source], Iterator[Finding]], ...] = (
    check_length, check_name, check_test_imports, check_sleeps, check_docstring,
)  # fmt: skip
TREE_CHECKS: tuple[Callable[[], Iterator[Finding]], ...] = (
    check_dependencies, check_locks, check_server_pins, check_generated_files, check_promises,
)  # fmt: skip


def findings() -> Iterator[Finding]:
    """Run every rule."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text()
            source = Source(path, text, ast.parse(text))
            for check in FILE_CHECKS:
                yield from check(source)
    for check_tree in TREE_CHECKS:
        yield from check_tree()


def main() -> int:
    """Print the findings; return the exit code."""
    found = list(findings())
    for path, line, what in found:
        sys.stdout.write(f"{path.relative_to(ROOT)}:{line}: {what}\n")
    return 1 if found else 0


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    documented = ast.get_docstring(node) is not None
    start = (first.end_lineno or 0) + 1 if documented else first.lineno
    return (node.end_lineno or 0) - start + 1


def _imported_module(path: Path, node: ast.ImportFrom) -> str:
    """Return the absolute name of the module that a file imports from."""
    if not node.level:
        return node.module or ""
    package = path.relative_to(ROOT).parts[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _is_sleep(node: ast.Call) -> bool:
    return ast.unparse(node.func).rpartition(".")[2] == "sleep"


def _comments(text: str) -> set[int]:
    """Return the lines with a comment that is more than the codes of a ``noqa``."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {
        token.start[0]
        for token in tokens
        if token.type == tokenize.COMMENT and re.search(r"\w", NOQA.sub("", token.string))
    }


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the values that a module assigns to names at top level."""
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _seconds(node: ast.expr, constants: Mapping[str, ast.expr]) -> float | None:
    """Return the value of a number, a constant, or a quotient of them; None for anything else."""
    if isinstance(node, ast.Name):
        value = constants.get(node.id)
        return None if value is None or isinstance(value, ast.Name) else _seconds(value, constants)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        parts = _seconds(node.left, constants), _seconds(node.right, constants)
        return None if parts[0] is None or not parts[1] else parts[0] / parts[1]
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return node.value
    return None


if __name__ == "__main__":
    sys.exit(main())
