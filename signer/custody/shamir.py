"""Shamir's secret sharing over GF(256): ``threshold`` shares rebuild it, fewer reveal nothing.

Each byte of the secret is the constant term of a separate polynomial, whose other coefficients are
uniform, zero included: this makes fewer shares independent of the secret. A share is the number of
a point (1 to 255) and the polynomials' values there. Source: A. Shamir, "How to share a secret",
1979; shares interoperate with HashiCorp Vault's, which append the number.

This module cannot distinguish right shares from wrong ones: that needs a proof over the secret, as
the tag of a value encrypted under it. ``signer.custody.gf256`` says which operations are
constant-time.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import starmap

from signer.custody.buffers import RandomBytes, draw, wiping
from signer.custody.errors import SharesMismatchError
from signer.custody.gf256 import divide, lanes_of, multiply, weighted_sums
from signer.custody.share import Share

SECRET_BYTES_MAX = 64
SHARES_MAX = 255
THRESHOLD_MIN = 2
_NUMBERS = frozenset(range(1, SHARES_MAX + 1))


def split(
    secret: bytes | bytearray, shares: int, threshold: int, random_bytes: RandomBytes
) -> tuple[Share, ...]:
    """Split 1 to ``SECRET_BYTES_MAX`` bytes into shares numbered from 1, which the caller wipes.

    Raises ``ValueError`` unless ``THRESHOLD_MIN`` <= threshold <= shares <= ``SHARES_MAX``, and
    ``RandomnessError``.
    """
    size_bytes = len(secret)
    if not 0 < size_bytes <= SECRET_BYTES_MAX:
        raise ValueError(f"A secret to share is 1 to {SECRET_BYTES_MAX} bytes, not {size_bytes}.")
    if not THRESHOLD_MIN <= threshold <= shares <= SHARES_MAX:
        raise ValueError(
            f"{threshold} of {shares} is not a valid threshold: 2 <= threshold <= shares <= 255."
        )
    with wiping(draw(random_bytes, size_bytes * (threshold - 1))) as drawn:
        starts = range(0, len(drawn), size_bytes)
        lanes = [lanes_of(memoryview(drawn)[at : at + size_bytes]) for at in starts]
    lanes.append(lanes_of(secret))
    values = weighted_sums(_powers_of_all(shares, threshold), lanes, size_bytes)
    return tuple(starmap(Share, enumerate(values, 1)))


def combine(shares: Sequence[Share]) -> bytearray:
    """Return the secret rebuilt from shares, in a buffer the caller wipes.

    Pass as many shares as the threshold; with fewer, or with shares of another secret, the result
    is another value that looks as random. Raises ``SharesMismatchError`` for shares that cannot
    belong together: an empty list, a duplicate, an invalid or different length, or the number 0.
    """
    numbers = tuple(share.number for share in shares)
    size_bytes = _size_of_all(shares)
    if not size_bytes or len(set(numbers)) != len(numbers) or not _NUMBERS.issuperset(numbers):
        raise SharesMismatchError(
            "The shares do not belong together: one is a duplicate or not a share, or the lengths "
            "differ."
        )
    lanes = [lanes_of(share.value) for share in shares]
    (secret,) = weighted_sums([_weights_at_zero(numbers)], lanes, size_bytes)
    return secret


def _size_of_all(shares: Sequence[Share]) -> int:
    """Return the common length of all shares; 0 if they have no common, valid length."""
    sizes = {len(share.value) for share in shares}
    size_bytes = sizes.pop() if len(sizes) == 1 else 0
    return size_bytes if size_bytes <= SECRET_BYTES_MAX else 0


@lru_cache(maxsize=256)
def _powers_of_all(shares: int, threshold: int) -> tuple[tuple[int, ...], ...]:
    """Return for each share the powers of its number, from the highest to the 0th."""
    return tuple(_powers(number, threshold) for number in range(1, shares + 1))


def _powers(number: int, threshold: int) -> tuple[int, ...]:
    powers = [1]
    for _ in range(threshold - 1):
        powers.append(multiply(powers[-1], number))
    return tuple(reversed(powers))


@lru_cache(maxsize=256)
def _weights_at_zero(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return the Lagrange basis polynomials of these points at zero (subtraction is xor)."""
    return tuple(_weight(number, numbers) for number in numbers)


def _weight(number: int, numbers: tuple[int, ...]) -> int:
    weight = 1
    for other in numbers:
        if other != number:
            weight = multiply(weight, divide(other, other ^ number))
    return weight
