"""``docs/auditing.md`` names every file of the signing core, and only files that exist."""

import re
from collections.abc import Iterator
from pathlib import Path

from tests.harness.builders.pages import DOCS, ROOT

PAGE = (DOCS / "auditing.md").read_text()


def named() -> Iterator[Path]:
    """Yield the files and folders in the tables; a bare name is in the folder of the one before."""
    for row in PAGE.splitlines():
        if row.startswith("| `"):
            folder = Path()
            for cell in row.split("|")[1:-1:2]:
                for name in re.findall(r"`([\w./]+)`", cell):
                    path = ROOT / name if name.partition("/")[0] in TOP else folder / name
                    folder = path if name.endswith("/") else path.parent
                    yield path


TOP = {"schemas", "signer", "tests"}


def test_every_named_file_exists() -> None:
    assert [str(path) for path in named() if not path.exists()] == []


def test_every_file_of_the_signing_core_is_named() -> None:
    read = set(named())
    modules = (ROOT / "signer" / "core").rglob("[!_]*.py")
    assert [
        str(path.relative_to(ROOT)) for path in sorted(modules) if not read & {path, *path.parents}
    ] == []
