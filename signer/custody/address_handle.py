"""Handle of a key on a chain for which Sixgate derives addresses but does not sign."""

from typing import NoReturn

from schemas.registry.key_chains import Curve
from signer.custody import curves
from signer.custody.buffers import wiping
from signer.custody.errors import SigningNotOfferedError


class AddressHandle:
    """A key that has an address and cannot sign; making the handle proves that the key opens.

    It takes over the buffer it is given and wipes it immediately, as nothing uses the key. Raises
    ``CorruptError`` for bytes that are not a key of the curve.
    """

    __slots__ = ("_public_key",)

    def __init__(self, curve: Curve, secret: bytearray) -> None:
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
