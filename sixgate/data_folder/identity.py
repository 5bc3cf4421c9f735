"""Reads the file of the signer's sealed identity in a data folder.

Every write of it is atomic: if the process dies, the file holds the old or the new identity, and
each opens under its own root key.
"""

import secrets
from pathlib import Path

from schemas.canonical import MalformedError
from signer.custody.buffers import wiping
from signer.custody.identity import SealedIdentity, seal_identity
from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import open_local_kms
from sixgate.data_folder.signer_files import SIGNER, FolderError, SignerFiles

FILE_BYTES_MAX = 32 * 1024
_BLOB_MARK, _BLOB_CONTEXT = b"\x01", b"sixgate/signer-identity/v1"


def read_identity(folder: SignerFiles) -> SealedIdentity:
    """Read the sealed identity of the signer; raises ``FolderError``, ``CustodyError``."""
    org, content = folder.trust().org, identity_bytes(folder.signer_identity)
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


def identity_bytes(path: Path) -> bytes:
    """Return the content of the file; raises ``FolderError``."""
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
