"""Import closures: counts the code that an audit of the signing core must read.

The closure of a module is every own module that it may import, at once or later: imports inside
functions count, imports for type checkers only do not. An import of a package counts the packages
above it; the closure of a package is that of all its modules. Bounds are in pyproject.toml and only
fall: a closure above its bound fails, and so does a bound far above its closure.
"""

import ast
import io
import sys
import tokenize
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

PACKAGES = frozenset({"schemas", "signer", "streams", "sixgate"})
SLACK_MAX = 100
_NO_CODE = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
)


class Size(NamedTuple):
    """Files, their physical lines, and those with code: no blanks, comments or docstrings."""

    files: int
    lines: int
    code: int


def closure(root: Path, modules: Iterable[str]) -> set[Path]:
    """Return the files below ``root`` of modules and of everything that they may import."""
    found: set[Path] = set()
    waiting = [one for name in modules for one in _modules(root, name)]
    while waiting:
        for path in _files(root, waiting.pop()):
            if path not in found:
                found.add(path)
                waiting += _imports(ast.parse(path.read_text()), path.relative_to(root))
    return found


def _modules(root: Path, name: str) -> list[str]:
    """Return a module's name; for a package the names of all modules in it, at any depth."""
    package = root.joinpath(*name.split("."))
    if not package.is_dir():
        return [name]
    paths = (path.relative_to(root).with_suffix("") for path in package.rglob("*.py"))
    return [".".join(path.parts) for path in paths]


def size(paths: Iterable[Path]) -> Size:
    """Return the size of files together."""
    texts = [path.read_text() for path in paths]
    return Size(len(texts), sum(text.count("\n") for text in texts), sum(map(code_lines, texts)))


def code_lines(text: str) -> int:
    """Count the lines of a module with code on them."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    used = {
        line
        for token in tokens
        if token.type not in _NO_CODE
        for line in range(token.start[0], token.end[0] + 1)
    }
    return len(used - _docstring_lines(ast.parse(text)))


def _docstring_lines(tree: ast.Module) -> set[int]:
    """Return the lines of statements that are only a text, such as docstrings."""
    return {
        line
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def _imports(node: ast.AST, path: Path) -> Iterator[str]:
    """Yield the names that a node may import from own packages, modules or their members."""
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return
        case ast.Import():
            yield from (one.name for one in node.names if _is_own(one.name))
        case ast.ImportFrom():
            module = _absolute(node, path)
            if _is_own(module):
                yield from (f"{module}.{one.name}" for one in node.names)
    for child in ast.iter_child_nodes(node):
        yield from _imports(child, path)


def _absolute(node: ast.ImportFrom, path: Path) -> str:
    if not node.level:
        return node.module or ""
    package = path.parts[: -node.level]
    return ".".join([*package, *filter(None, [node.module])])


def _is_own(name: str) -> bool:
    return name.partition(".")[0] in PACKAGES


def _files(path: Path, name: str) -> Iterator[Path]:
    """Yield the file of a module or of a module's member, and those of the packages above."""
    for part in name.split("."):
        path /= part
        if (package := path / "__init__.py").exists():
            yield package
        elif (module := path.with_suffix(".py")).exists():
            yield module


def check(root: Path) -> int:
    """Print each closure with its bound; return 1 if one is broken."""
    project = tomllib.loads((root / "pyproject.toml").read_text())
    code = 0
    for name, bound in project["tool"]["closures"].items():
        found = size(closure(root, bound["modules"]))
        sys.stdout.write(
            f"{name}: {found.files} files, {found.lines:,} lines (at most {bound['lines']:,}), "
            f"{found.code:,} with code (at most {bound['code']:,})\n"
        )
        for what, value in (("lines", found.lines), ("code", found.code)):
            if not bound[what] - SLACK_MAX <= value <= bound[what]:
                reason = ", and say why it grew" if value > bound[what] else ": it shrank"
                sys.stdout.write(f"pyproject.toml: set {what} of {name} to {value}{reason}\n")
                code = 1
    return code


if __name__ == "__main__":
    sys.exit(check(Path(__file__).parents[1]))
