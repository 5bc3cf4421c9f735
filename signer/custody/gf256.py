"""Arithmetic of GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (0x11b), the field of AES and of Vault.

A whole secret is multiplied in one operation, every byte a lane of one integer, and always by a
public element (the number of a share, or derived from such numbers). So nothing secret indexes a
table or decides a branch; the logarithms below are looked up for public elements only.

Limits of Python: integers are stored in digits of 30 bits without leading zeros, so the time of an
operation reveals how many of a secret's *first* digits are zero (one secret in 2^30 has one). Every
intermediate result is an immutable object that stays in freed memory until that memory is reused.
"""

from collections.abc import Sequence
from functools import lru_cache

from signer.custody.buffers import wipe

_POLYNOMIAL = 0x11B
_ORDER = 255


def _powers() -> list[int]:
    powers, power = [], 1
    for _ in range(_ORDER):
        powers.append(power)
        power ^= power << 1  # times the generator, 0x03
        if power > _ORDER:
            power ^= _POLYNOMIAL
    return powers


_POWERS = _powers()
_LOGARITHMS = {power: exponent for exponent, power in enumerate(_POWERS)}
_SHIFTS = [tuple(bit for bit in range(8) if element >> bit & 1) for element in range(_ORDER + 1)]


def multiply(left: int, right: int) -> int:
    """Return the product of two public elements, 0 to 255."""
    if left == 0 or right == 0:
        return 0
    return _POWERS[(_LOGARITHMS[left] + _LOGARITHMS[right]) % _ORDER]


def divide(left: int, right: int) -> int:
    """Return the quotient of two public elements; raise ``ZeroDivisionError`` for divisor 0."""
    if right == 0:
        raise ZeroDivisionError("Zero has no inverse in GF(256).")
    if left == 0:
        return 0
    return _POWERS[(_LOGARITHMS[left] - _LOGARITHMS[right]) % _ORDER]


def lanes_of(secret: bytes | bytearray | memoryview) -> int:
    """Return a secret as one integer, a lane of 16 bits for each byte."""
    spread = bytearray(2 * len(secret))
    spread[1::2] = secret
    lanes = int.from_bytes(spread)
    wipe(spread)
    return lanes


def weighted_sums(
    rows: Sequence[Sequence[int]], secrets: Sequence[int], size_bytes: int
) -> list[bytearray]:
    """Return for each row of public weights the sum of the secrets, each times its weight.

    ``secrets`` are the lanes of secrets of ``size_bytes`` bytes; the sums are buffers of that size,
    which the caller wipes. All rows are reduced in one operation.
    """
    total, row_bits = 0, 16 * size_bytes
    for weights in rows:
        total = total << row_bits | _products(weights, secrets)
    low = _low_halves(len(rows) * size_bytes)
    reduced = _fold(_fold(total, low), low).to_bytes(2 * len(rows) * size_bytes)[1::2]
    return [bytearray(reduced[at : at + size_bytes]) for at in range(0, len(reduced), size_bytes)]


def _products(weights: Sequence[int], secrets: Sequence[int]) -> int:
    """Return the sum before it is reduced: no lane has more than 15 bits."""
    total = 0
    for weight, lanes in zip(weights, secrets, strict=True):
        for shift in _SHIFTS[weight]:
            total ^= lanes << shift
    return total


def _fold(lanes: int, low: int) -> int:
    """Reduce the bits above the eighth of each lane: x^8 is x^4 + x^3 + x + 1."""
    high = lanes >> 8 & low
    return lanes & low ^ high ^ high << 1 ^ high << 3 ^ high << 4


@lru_cache(maxsize=256)
def _low_halves(size_bytes: int) -> int:
    return int.from_bytes(b"\x00\xff" * size_bytes)
