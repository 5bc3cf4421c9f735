"""Key handles: the only form in which the rest of the signer gets a private key."""

import weakref
from typing import Any, NoReturn

from schemas.keys.curves import Curve
from signer.custody import curves, secp256k1
from signer.custody.buffers import wipe, wiping
from signer.custody.errors import (
    CorruptError,
    HandleClosedError,
    ImmutableKeyError,
    SigningNotOfferedError,
)


class KeyHandle:
    """A secp256k1 key that signs digests and cannot be exported, printed, copied or pickled.

    It takes over the buffer it is given (32 bytes) and wipes it on ``close``, when it is dropped,
    and at interpreter exit. Bytes that are not a key are wiped immediately (``CorruptError``).
    Immutable bytes cannot be wiped and are refused (``ImmutableKeyError``).

    Guarantee: libsecp256k1 reads the key in that buffer through a pointer and clears its own stack,
    so no copy is made here, and after ``close`` a search of the process's memory finds no copy
    (``tests/servers/custody/test_memory.py``). Limits: earlier copies are out of reach, as a key
    that was generated in this process passed through immutable bytes. While the handle is open,
    Python hides nothing from code in its own process; ``signer.custody.process`` keeps other
    processes out.
    """

    __slots__ = ("__weakref__", "_pointer", "_public_key", "_wipe")

    def __init__(self, secret: bytearray) -> None:
        _require_buffer(secret)
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
        """Return the public key, 65 bytes uncompressed; also after ``close``."""
        return self._public_key

    def close(self) -> None:
        """Wipe the key; a second call does nothing."""
        self._wipe()

    def __repr__(self) -> str:
        return f"<KeyHandle, {'open' if self._wipe.alive else 'closed'}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A KeyHandle cannot be copied or pickled: it holds a secret key.")


def _require_buffer(secret: object) -> None:
    if not isinstance(secret, bytearray):
        raise ImmutableKeyError(
            "A key must be in a bytearray: it could not be wiped from any other object."
        )


def _read(secret: bytearray) -> tuple[Any, bytes]:
    if len(secret) == secp256k1.SECRET_BYTES:
        pointer = secp256k1.point_at(secret)
        if secp256k1.is_secret(pointer):
            return pointer, secp256k1.public_key(pointer)
    wipe(secret)
    raise CorruptError("A secret is not a secp256k1 key; check which path was opened.")


class AddressHandle:
    """A key that has an address and cannot sign; making the handle proves that the key opens.

    It takes over the buffer it is given and wipes it immediately, as nothing uses the key. Raises
    ``CorruptError`` for bytes that are not a key of the curve, ``ImmutableKeyError`` as above.
    """

    __slots__ = ("_public_key",)

    def __init__(self, curve: Curve, secret: bytearray) -> None:
        _require_buffer(secret)
        with wiping(secret):
            self._public_key = curves.public_key(curve, secret)

    def sign(self, digest32: bytes) -> NoReturn:  # noqa: ARG002 - the shape of every handle
        """Refuse: raise ``SigningNotOfferedError``."""
        raise SigningNotOfferedError("Keys of this chain hold an address and sign nothing.")

    def public_key(self) -> bytes:
        """Return the public key as ``curves.public_key`` does."""
        return self._public_key

    def close(self) -> None:
        """Do nothing: the key was wiped as soon as its public key was derived."""

    def __repr__(self) -> str:
        return "<AddressHandle>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("An AddressHandle cannot be copied or pickled: it holds a secret key.")
