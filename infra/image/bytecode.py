"""Bytecode that comes out the same wherever, whenever and by whomever it is compiled.

Python's own compiler writes into each file its source's time and, in how it shares objects, how
many references to them there happened to be. Here neither gets in: files are of the kind that is
never compared with its source (PEP 552), and marshal's version 2 shares nothing.
"""

import importlib.util
import marshal
import warnings
from pathlib import Path

UNCHECKED_HASH = (0b01).to_bytes(4, "little")
MARSHAL_VERSION = 2  # the newest without references, which depend on reference counts


def compile_tree(root: Path) -> int:
    """Compile every Python file under a folder beside it; return how many.

    What does not compile is left out, as packages carry templates and tests of other versions.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about others' code
        return sum(_compiled(path, root) for path in sorted(root.rglob("*.py")))


def _compiled(path: Path, root: Path) -> bool:
    source = path.read_bytes()
    try:
        # The import system puts in the real path when it loads the file.
        code = compile(source, str(path.relative_to(root)), "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    target = Path(importlib.util.cache_from_source(path))
    target.parent.mkdir(exist_ok=True)
    head = importlib.util.MAGIC_NUMBER + UNCHECKED_HASH + importlib.util.source_hash(source)
    target.write_bytes(head + marshal.dumps(code, MARSHAL_VERSION))
    return True
