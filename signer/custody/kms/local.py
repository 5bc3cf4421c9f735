"""The software KMS: a root key in a file, for one machine without a KMS. It is not an HSM."""

import hmac
from typing import NoReturn

from signer.custody import aead
from signer.custody.buffers import RandomBytes, draw
from signer.custody.errors import CorruptError, KmsKeyNotFoundError
from signer.custody.kms.port import (
    SOFTWARE_KMS,
    KeyState,
    KeyStatus,
    ProtectionLevel,
    require_wrappable,
)

ROOT_BYTES = aead.KEY_BYTES
_ID_TAG = b"sixgate/custody/local-root/v1"
_ID_BYTES = 16


class LocalKms:
    """A ``ProviderKms`` in this process's memory; its blobs contain the id of their root key.

    ``root`` is 32 bytes (``ValueError`` otherwise), which the caller may wipe afterwards.
    """

    __slots__ = ("_header", "_random_bytes", "_root")

    def __init__(self, root: bytes | bytearray, random_bytes: RandomBytes) -> None:
        self._root = aead.load_key(root)
        self._random_bytes = random_bytes
        self._header = aead.FORMAT_1 + hmac.digest(root, _ID_TAG, "sha256")[:_ID_BYTES]

    @property
    def key_id(self) -> str:
        """``local:`` and 128 bits of HMAC-SHA-256 under the root, which reveal nothing of it."""
        return _key_id(self._header)

    def wrap(self, plaintext: bytes | bytearray, context: bytes) -> bytes:
        """Wrap as ``RootKms`` promises; ``ValueError`` beyond ``PLAINTEXT_BYTES_MAX``."""
        require_wrappable(plaintext)
        nonce = draw(self._random_bytes, aead.NONCE_BYTES)
        return aead.seal(self._root, nonce, plaintext, context, self._header)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytearray:
        """Unwrap as ``RootKms`` promises; another root's blob is ``KmsKeyNotFoundError``."""
        header = wrapped[: len(self._header)]
        if len(header) < len(self._header) or not header.startswith(aead.FORMAT_1):
            raise CorruptError("A wrapped key has an unknown format; restore it from a backup.")
        if header != self._header:
            raise KmsKeyNotFoundError(
                f"A key was wrapped by root {_key_id(header)}, but this KMS holds {self.key_id}; "
                "use the root key file that wrapped it."
            )
        return aead.unseal(self._root, wrapped, context, header)

    def check(self) -> KeyStatus:
        """Return that the key is always enabled and protected by software only."""
        return KeyStatus(KeyState.ENABLED, ProtectionLevel.SOFTWARE)

    def __repr__(self) -> str:
        return f"<LocalKms {self.key_id}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A LocalKms cannot be copied or pickled: it holds a secret key.")


def _key_id(header: bytes) -> str:
    return f"{SOFTWARE_KMS}{header[len(aead.FORMAT_1) :].hex()}"
