"""The signer's own secrets in a data folder: its signing seed and the key of its state's MACs."""

from collections.abc import Callable

from signer.custody.buffers import draw, wiping
from signer.custody.kms.local import LocalKms
from signer.signatures import Ed25519Signer
from sixgate.folder import SIGNER, Folder, FolderError
from sixgate.keyfiles import SEED_BYTES
from sixgate.whole_file import MODE_PRIVATE, write_whole

_CONTEXT = b"sixgate/signer-identity/v1"


def create_identity(
    folder: Folder, kms: LocalKms, random_bytes: Callable[[int], bytes]
) -> Ed25519Signer:
    """Make the secrets, wrapped by the root, and return the signer's identity."""
    with wiping(draw(random_bytes, 2 * SEED_BYTES)) as secrets, memoryview(secrets) as view:
        wrapped = kms.wrap(secrets, _CONTEXT)
        write_whole(folder.signer_identity, wrapped, replace=False, mode=MODE_PRIVATE)
        return Ed25519Signer(SIGNER, view[:SEED_BYTES])


def open_identity(folder: Folder, kms: LocalKms) -> tuple[Ed25519Signer, bytes]:
    """Return the signer's identity and the key of its state's MACs.

    Raises ``FolderError``, ``CustodyError``.
    """
    path = folder.signer_identity
    try:
        sealed = path.read_bytes()
    except OSError as error:
        raise FolderError(f"{path} cannot be read: {error.strerror}; restore it") from None
    with wiping(kms.unwrap(sealed, _CONTEXT)) as secrets, memoryview(secrets) as view:
        return Ed25519Signer(SIGNER, view[:SEED_BYTES]), bytes(view[SEED_BYTES:])
