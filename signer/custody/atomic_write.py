"""Atomic, durable file writes.

1. Write a draft next to the target. *If the process ends here, a hidden draft is left; the target
   is untouched.*
2. Sync the draft. 3. Rename or link it to the target. 4. Sync the folder.
   *If the process ends after 3, the target is complete, but its name may be lost with a power
   failure.*
"""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

MODE_DEFAULT, MODE_PRIVATE = 0o666, 0o600


@contextmanager
def atomic_file(path: Path, *, replace: bool, mode: int = MODE_DEFAULT) -> Iterator[BinaryIO]:
    """Yield a file that replaces ``path`` durably when the block ends, unless the block raises.

    ``mode`` is subject to the umask. Raises ``OSError``; ``FileExistsError`` if the name exists and
    may not be replaced. Folders, devices and pipes are never replaced.
    """
    with _draft(path, mode, replace=replace) as handle, open(handle, "wb", closefd=False) as file:
        yield file


def write_atomic(
    path: Path, content: bytes | bytearray, *, replace: bool, mode: int = MODE_DEFAULT
) -> None:
    """Write a file as ``atomic_file`` does, directly from the caller's buffer, without a copy."""
    with _draft(path, mode, replace=replace) as handle, memoryview(content) as rest:
        written = 0
        while written < len(rest):
            written += os.write(handle, rest[written:])


@contextmanager
def _draft(path: Path, mode: int, *, replace: bool) -> Iterator[int]:
    _require_replaceable(path)
    # 1.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = _create(draft, mode, path)
    try:
        yield handle
        # 2. Before the rename: otherwise a power failure could leave the name with an empty file.
        os.fsync(handle)
        # 3.
        if replace:
            draft.replace(path)
        else:
            _link(draft, path)
        # 4.
        sync_folder(path.parent)
    finally:
        os.close(handle)
        draft.unlink(missing_ok=True)


def _create(draft: Path, mode: int, path: Path) -> int:
    """Open a new file; errors name the target, not the draft."""
    try:
        return os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _require_replaceable(path: Path) -> None:
    """Raise ``OSError`` for a folder, device or pipe: a rename would replace it."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _link(draft: Path, path: Path) -> None:
    """Link the draft to the target; unlike a rename, this fails if the name exists."""
    try:
        path.hardlink_to(draft)
    except FileExistsError as error:
        raise FileExistsError(error.errno, error.strerror, str(path)) from None
