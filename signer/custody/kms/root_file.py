"""File of a software root key: 32 raw bytes that only the owner can read."""

from pathlib import Path

from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import RandomBytes, draw, wipe, wiping
from signer.custody.errors import PrivateFileError, RootFileError
from signer.custody.kms.local import ROOT_BYTES, LocalKms
from signer.custody.private_file import read_private


def create_root_file(path: Path, random_bytes: RandomBytes) -> None:
    """Write a new root key with mode 0600; ``RootFileError`` if it exists or cannot be written.

    The write is atomic and durable, and never replaces a file: the vaults under a lost root key are
    lost with it.
    """
    try:
        with wiping(draw(random_bytes, ROOT_BYTES)) as root:
            write_atomic(path, root, replace=False, mode=MODE_PRIVATE)
    except FileExistsError:
        raise RootFileError(
            f"The root key {path} already exists and may have vaults under it: choose another "
            "folder."
        ) from None
    except OSError as error:
        raise RootFileError(
            f"The root key {path} cannot be written ({error.strerror}); "
            "choose a folder on a local disk that this user may write to."
        ) from None


def open_local_kms(path: Path, random_bytes: RandomBytes) -> LocalKms:
    """Open the software KMS of a root key file, and wipe the bytes that were read.

    Raises ``RootFileError`` as ``load_root_file`` does.
    """
    with wiping(load_root_file(path)) as root:
        return LocalKms(root, random_bytes)


def load_root_file(path: Path) -> bytearray:
    """Read a root key into a buffer the caller wipes.

    Raises ``RootFileError`` for a file that is not private, or has another length.
    """
    try:
        root = read_private(path, ROOT_BYTES)
    except PrivateFileError as error:
        raise RootFileError(
            f"The root key {path} {error.problem}; {error.advice}. Its vaults do not open without "
            "it."
        ) from None
    if len(root) != ROOT_BYTES:
        wipe(root)
        raise RootFileError(
            f"The root key {path} has {len(root)} bytes instead of {ROOT_BYTES}; "
            "it is damaged or another file: restore it."
        )
    return root
