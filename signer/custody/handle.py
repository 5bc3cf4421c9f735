"""The only form in which the rest of the signer sees a private key."""

import weakref
from typing import Any, NoReturn

from signer.custody import secp256k1
from signer.custody.buffers import wipe
from signer.custody.errors import CorruptError, HandleClosedError


class KeyHandle:
    """A secp256k1 key that signs digests and cannot be exported, printed, copied or pickled.

    It takes over the buffer it is given (32 bytes) and wipes it on ``close``, when it is dropped,
    and at interpreter exit; one that holds no key is wiped at once and raises ``CorruptError``.

    What that is worth: libsecp256k1 reads the key in that buffer through a pointer and clears its
    own stack, so no copy is made here, and after ``close`` a search of the process's memory finds
    none (``tests/servers/custody/test_memory.py``). Copies made before are beyond it: a key that
    was generated in this process passed through immutable bytes. And while the handle is open,
    Python hides nothing from code in its own process: ``signer.custody.process`` keeps others out.
    """

    __slots__ = ("__weakref__", "_pointer", "_public_key", "_wipe")

    def __init__(self, secret: bytearray) -> None:
        self._wipe = weakref.finalize(self, wipe, secret)
        self._pointer, self._public_key = _read(secret)

    def sign(self, digest32: bytes) -> bytes:
        """Sign a 32-byte digest; return 65 bytes, ``r || s || y_parity`` (0 or 1).

        RFC 6979 and low s: the same digest always gives the same signature. Raise
        ``HandleClosedError`` after ``close``, ``ValueError`` for another length.
        """
        if not self._wipe.alive:
            raise HandleClosedError("This key handle is closed; open the key again.")
        return secp256k1.sign(self._pointer, digest32)

    def public_key(self) -> bytes:
        """Return the public key, 65 bytes uncompressed; it stays known after ``close``."""
        return self._public_key

    def close(self) -> None:
        """Wipe the key; a second call does nothing."""
        self._wipe()

    def __repr__(self) -> str:
        return f"<KeyHandle, {'open' if self._wipe.alive else 'closed'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A KeyHandle cannot be copied or pickled: it holds a secret key.")


def _read(secret: bytearray) -> tuple[Any, bytes]:
    if len(secret) == secp256k1.SECRET_BYTES:
        pointer = secp256k1.point_at(secret)
        if secp256k1.is_secret(pointer):
            return pointer, secp256k1.public_key(pointer)
    wipe(secret)
    raise CorruptError("A secret is no secp256k1 key; check which path was opened.")
