"""File of the signer's sealed identity in a data folder (``signer.identity``).

Every write is atomic: if the process dies, the file holds the old or the new identity, and each
opens under its own root key.
"""

import secrets
from pathlib import Path

from schemas.canonical import MalformedError
from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import RandomBytes, wiping
from signer.custody.identity import SealedIdentity, new_identity, seal_identity
from signer.custody.kms.local import LocalKms
from signer.custody.kms.port import RootKms
from signer.custody.kms.root_file import open_local_kms
from sixgate.data_folder.signer_files import SIGNER, FolderError, SignerFiles

FILE_BYTES_MAX = 32 * 1024
_BLOB_MARK, _BLOB_CONTEXT = b"\x01", b"sixgate/signer-identity/v1"


def create_identity(
    folder: SignerFiles, org: str, kms: RootKms, random_bytes: RandomBytes
) -> SealedIdentity:
    """Create the signer's identity, sealed under a root key; never replaces an existing one.

    Raises ``OSError``, ``CustodyError``.
    """
    sealed = new_identity(kms, org, SIGNER, random_bytes)
    write_atomic(folder.signer_identity, sealed.encode(), replace=False, mode=MODE_PRIVATE)
    return sealed


def read_identity(folder: SignerFiles) -> SealedIdentity:
    """Read the sealed identity of the signer; raises ``FolderError``, ``CustodyError``."""
    org, content = folder.trust().org, _content(folder.signer_identity)
    if content.startswith(_BLOB_MARK):
        return _migrated(open_local_kms(folder.root_key, secrets.token_bytes), org, content)
    try:
        sealed = SealedIdentity.decode(content)
    except MalformedError as error:
        message = f"{folder.signer_identity} is damaged ({error}): restore it"
        raise FolderError(message) from None
    if (sealed.org, sealed.service) != (org, SIGNER):
        raise FolderError(
            f"{folder.signer_identity} is of {sealed.service} of {sealed.org}, not of "
            f"{SIGNER} of {org}: restore the right one"
        )
    return sealed


def replace_identity(folder: SignerFiles, sealed: SealedIdentity) -> bool:
    """Replace the file atomically and durably; return False if it is unchanged.

    Raises ``FolderError``; the old file then remains.
    """
    path, content = folder.signer_identity, sealed.encode()
    if _content(path) == content:
        return False
    try:
        write_atomic(path, content, replace=True, mode=MODE_PRIVATE)
    except OSError as error:
        raise FolderError(f"{path} cannot be written: {error.strerror}") from None
    return True


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise FolderError(f"{path} cannot be read: {error.strerror}; restore it") from None
    if len(content) > FILE_BYTES_MAX:
        raise FolderError(f"{path} is larger than {FILE_BYTES_MAX} bytes: restore it")
    return content


def _migrated(kms: LocalKms, org: str, blob: bytes) -> SealedIdentity:
    """Convert the blob of an older version, which was not bound to organisation and service."""
    with wiping(kms.unwrap(blob, _BLOB_CONTEXT)) as keys:
        return seal_identity(kms, org, SIGNER, keys)
