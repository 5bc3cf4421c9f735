"""The closures of the signing core are counted as an auditor would."""

from pathlib import Path

import pytest

from tools import closures

FILES = {
    "signer/__init__.py": "",
    "signer/core.py": '''"""A docstring.

With blanks.
"""

from typing import TYPE_CHECKING

from signer.keys import KEY, names  # a comment
from . import near

if TYPE_CHECKING:
    from signer.typed import Typed

TEXT = """kept
with a blank line

"""


def decide():
    """Decide."""
    # Late.
    from signer.late import decide_late

    return decide_late(KEY)
''',
    "signer/keys/__init__.py": "KEY = 1\n",
    "signer/keys/names.py": "import signer.outer.inner\nimport json\n",
    "signer/near.py": "",
    "signer/late.py": "",
    "signer/typed.py": "",
    "signer/unused.py": "",
    "signer/outer/__init__.py": "",
    "signer/outer/inner.py": "from streams.log import Log\n",
    "streams/__init__.py": "",
    "streams/log.py": "import streams.log\n",
}
REACHED = {path for path in FILES if Path(path).stem not in {"typed", "unused"}}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_closure_has_late_imports_packages_and_members_but_not_types(tree: Path) -> None:
    found = {str(path.relative_to(tree)) for path in closures.closure(tree, ["signer.core"])}
    assert found == REACHED


def test_closure_of_a_package_is_that_of_all_its_modules(tree: Path) -> None:
    found = {str(path.relative_to(tree)) for path in closures.closure(tree, ["signer"])}
    assert found == set(FILES) - {"streams/__init__.py", "streams/log.py"} | REACHED


def test_code_is_counted_without_blanks_comments_and_docstrings(tree: Path) -> None:
    size = closures.size([tree / "signer/core.py"])
    assert size == closures.Size(1, FILES["signer/core.py"].count("\n"), 12)


@pytest.mark.parametrize(("slack", "code"), [(0, 0), (99, 0), (-1, 1), (200, 1)])
def test_bound_fails_if_the_closure_grew_or_the_bound_is_loose(
    tree: Path, slack: int, code: int
) -> None:
    size = closures.size(closures.closure(tree, ["signer.core"]))
    (tree / "pyproject.toml").write_text(
        f'[tool.closures.core]\nmodules = ["signer.core"]\n'
        f"lines = {size.lines + slack}\ncode = {size.code + slack}\n"
    )
    assert closures.check(tree) == code
