"""Reproducible bytecode: the same for every machine, time and user.

Python's own compiler stores the source's modification time, and marshals objects depending on
their reference counts. Here files are of the unchecked hash kind, which stores no time (PEP 552),
and marshal version 2 has no references.
"""

import importlib.util
import marshal
import warnings
from pathlib import Path

UNCHECKED_HASH = (0b01).to_bytes(4, "little")
MARSHAL_VERSION = 2  # the newest without references, which depend on reference counts


def compile_tree(root: Path) -> int:
    """Compile every Python file under a folder, next to its source; return their number.

    Files that do not compile are skipped: packages contain templates and tests for other versions.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the code of dependencies
        return sum(_compiled(path, root) for path in sorted(root.rglob("*.py")))


def _compiled(path: Path, root: Path) -> bool:
    source = path.read_bytes()
    try:
        # The import system sets the real path when it loads the file.
        code = compile(source, str(path.relative_to(root)), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    target = Path(importlib.util.cache_from_source(path))
    target.parent.mkdir(exist_ok=True)
    head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(source)
    target.write_bytes(head + marshal.dumps(code, MARSHAL_VERSION))
    return True
