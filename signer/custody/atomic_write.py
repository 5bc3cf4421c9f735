"""Files that appear whole and on disk, or not at all."""

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
    """Lend a file that stands at ``path`` when the block ends, durable; nothing if it raises.

    ``mode`` is subject to the umask. Raises ``OSError``, ``FileExistsError`` for a name that is
    taken and must not be replaced, which no folder, device or pipe may be.
    """
    with _drafted(path, mode, replace=replace) as handle, open(handle, "wb", closefd=False) as file:
        yield file


def write_atomic(
    path: Path, content: bytes | bytearray, *, replace: bool, mode: int = MODE_DEFAULT
) -> None:
    """Write a file as ``atomic_file`` does, from the caller's buffer and through no other."""
    with _drafted(path, mode, replace=replace) as handle, memoryview(content) as rest:
        written = 0
        while written < len(rest):
            written += os.write(handle, rest[written:])


@contextmanager
def _drafted(path: Path, mode: int, *, replace: bool) -> Iterator[int]:
    _refuse_no_file(path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = _create(draft, mode, path)
    try:
        yield handle
        os.fsync(handle)
        if replace:
            draft.replace(path)
        else:
            _link(draft, path)
        sync_folder(path.parent)
    finally:
        os.close(handle)
        draft.unlink(missing_ok=True)


def _create(draft: Path, mode: int, path: Path) -> int:
    """Open a new file; what fails is told of the name that was asked for."""
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


def _refuse_no_file(path: Path) -> None:
    """Raise for what is there and no file: a rename would put ours in a device's place."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _link(draft: Path, path: Path) -> None:
    """Give a file a second name; unlike a rename, this refuses a name that is taken."""
    try:
        path.hardlink_to(draft)
    except FileExistsError as error:
        raise FileExistsError(error.errno, error.strerror, str(path)) from None
