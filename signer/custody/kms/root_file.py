"""The file of a software root key: 32 raw bytes that only their owner can read."""

import errno
import os
import stat
from pathlib import Path

from signer.custody.buffers import RandomBytes, draw, wipe, wiping
from signer.custody.errors import RootFileError
from signer.custody.kms.local import ROOT_BYTES, LocalKms

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def create_root_file(path: Path, random_bytes: RandomBytes) -> None:
    """Write a new root key with mode 0600; raise ``RootFileError`` if the file exists or fails.

    It appears at ``path`` complete and on disk, or not at all, and never replaces another: the
    vaults under a lost root are lost with it.
    """
    draft = path.with_name(f".{path.name}.{random_bytes(8).hex()}")
    try:
        with wiping(draw(random_bytes, ROOT_BYTES)) as root:
            _place(path, draft, root)
    except FileExistsError:
        raise RootFileError(
            f"The root key {path} exists and may have vaults under it; choose another folder."
        ) from None
    except OSError as error:
        raise RootFileError(
            f"The root key {path} cannot be written ({error.strerror}); "
            "choose a folder on a local disk that this user may write."
        ) from None


def open_local_kms(path: Path, random_bytes: RandomBytes) -> LocalKms:
    """Open the KMS under a root key's file and wipe what was read.

    Raises ``RootFileError`` as ``load_root_file`` does.
    """
    with wiping(load_root_file(path)) as root:
        return LocalKms(root, random_bytes)


def load_root_file(path: Path) -> bytearray:
    """Read a root key into a buffer the caller wipes; raise ``RootFileError`` if it is unfit.

    Unfit is what is no regular file, belongs to another user, can be read or written by others,
    or has another length.
    """
    try:
        # NONBLOCK: a pipe in the file's place must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise RootFileError(
            f"The root key {path} cannot be opened ({error.strerror}); restore it, since no vault "
            "under it opens without it."
        ) from None
    try:
        _require_private(path, os.fstat(descriptor))
        root = bytearray(ROOT_BYTES)
        if os.readv(descriptor, [root]) != ROOT_BYTES:
            wipe(root)
            raise RootFileError(f"The root key {path} changed while it was read; try again.")
    finally:
        os.close(descriptor)
    return root


def _require_private(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise RootFileError(f"The root key {path} is no regular file; name the file itself.")
    if status.st_uid != os.geteuid():
        raise RootFileError(
            f"The root key {path} belongs to user {status.st_uid}; run as its owner or chown it."
        )
    if status.st_mode & _OTHERS:
        raise RootFileError(
            f"The root key {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o}); run "
            "chmod 600 on it, and put its vaults under a new root if somebody may have read it."
        )
    if status.st_size != ROOT_BYTES:
        raise RootFileError(
            f"The root key {path} has {status.st_size} bytes instead of {ROOT_BYTES}; "
            "it is damaged or another file: restore it."
        )


def _place(path: Path, draft: Path, root: bytearray) -> None:
    try:
        _write_new(draft, root)
        os.link(draft, path)  # unlike a rename, this refuses an existing name
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _write_new(path: Path, root: bytearray) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
        if file.write(root) != len(root):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
