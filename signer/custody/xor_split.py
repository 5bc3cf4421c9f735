"""Splits a secret into a uniform half and its xor with the secret; one half reveals nothing."""

from signer.custody.buffers import RandomBytes, draw
from signer.custody.errors import SharesMismatchError


def split(secret: bytes | bytearray, random_bytes: RandomBytes) -> tuple[bytearray, bytearray]:
    """Return both halves, which the caller wipes; raise ``RandomnessError``."""
    drawn = draw(random_bytes, len(secret))
    return join(secret, drawn), drawn


def join(one: bytes | bytearray, other: bytes | bytearray) -> bytearray:
    """Return the secret of two halves, in a buffer the caller wipes.

    Raises ``SharesMismatchError`` for halves of different lengths. The intermediate integers have
    the limits described in ``signer.custody.gf256``.
    """
    if len(one) != len(other):
        raise SharesMismatchError("The shares do not belong together: their lengths differ.")
    joined = int.from_bytes(one) ^ int.from_bytes(other)
    return bytearray(joined.to_bytes(len(one)))
