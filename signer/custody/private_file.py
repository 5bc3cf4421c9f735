"""Reads files with secrets: regular, owned by this user, private (0600), of bounded size."""

import os
import stat
from pathlib import Path

from signer.custody.buffers import wipe
from signer.custody.errors import PrivateFileError

OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_private(path: Path, bytes_max: int) -> bytearray:
    """Read a file with a secret into a buffer that the caller wipes.

    Raises ``PrivateFileError`` for a file that is missing, not regular, owned by another user,
    accessible to others, or longer than ``bytes_max``.
    """
    try:
        # NONBLOCK: a FIFO at this path must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise PrivateFileError(f"cannot be opened ({error.strerror})", "restore it") from None
    try:
        return _read(descriptor, bytes_max)
    finally:
        os.close(descriptor)


def _read(descriptor: int, bytes_max: int) -> bytearray:
    status = os.fstat(descriptor)
    _require_private(status)
    _require_size(status, bytes_max)
    content = bytearray(status.st_size)
    if os.readv(descriptor, [content]) != status.st_size:
        wipe(content)
        raise PrivateFileError("changed while it was read", "retry")
    return content


def _require_private(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise PrivateFileError("is not a regular file", "name the file itself")
    if status.st_uid != os.geteuid():
        problem = f"belongs to user {status.st_uid}"
        raise PrivateFileError(problem, "run as its owner or chown it")
    if status.st_mode & OTHERS:
        mode = f"{stat.S_IMODE(status.st_mode):04o}"
        problem = f"can be read or written by others (mode {mode})"
        advice = "run chmod 600 on it, and replace its secret if another user may have read it"
        raise PrivateFileError(problem, advice)


def _require_size(status: os.stat_result, bytes_max: int) -> None:
    if status.st_size > bytes_max:
        problem = f"has {status.st_size} bytes, more than {bytes_max}"
        raise PrivateFileError(problem, "it is damaged or another file: restore it")
