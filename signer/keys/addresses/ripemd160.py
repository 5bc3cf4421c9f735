"""RIPEMD-160 (Dobbertin, Bosselaers, Preneel, 1996).

Implemented here because OpenSSL moved it to its legacy provider, which many builds lack:
``hashlib.new("ripemd160")`` works on one machine and not on the next. It hashes only public keys,
so it need be neither fast nor constant-time.
"""

import struct

_MASK = 0xFFFFFFFF
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
_BLOCK_BYTES = 64
_ROUNDS = 5

# Section 2 of the paper: rho permutes a block's words from round to round, pi begins the right
# line, and a word's rotation depends on the round alone.
_RHO = (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8)
_PI = tuple((9 * i + 5) % 16 for i in range(16))
_ROTATIONS = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7),
    (13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9),
    (14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6),
    (15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5),
)
_LEFT = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)

_Words = tuple[int, ...]


def ripemd160(message: bytes) -> bytes:
    """Return the digest, 20 bytes."""
    state: _Words = _START
    padded = message + b"\x80" + bytes((55 - len(message)) % _BLOCK_BYTES)
    padded += struct.pack("<Q", 8 * len(message))
    for start in range(0, len(padded), _BLOCK_BYTES):
        state = _compress(state, struct.unpack_from("<16I", padded, start))
    return struct.pack("<5I", *state)


def _compress(state: _Words, block: _Words) -> _Words:
    left = _line(state, block, tuple(range(16)), _LEFT)
    right = _line(state, block, _PI, _RIGHT)
    sums = ((state[(i + 1) % 5], left[(i + 2) % 5], right[(i + 3) % 5]) for i in range(5))
    return tuple(sum(parts) & _MASK for parts in sums)


def _line(state: _Words, block: _Words, order: _Words, added: _Words) -> _Words:
    a, b, c, d, e = state
    for number in range(_ROUNDS):
        mix = number if added is _LEFT else _ROUNDS - 1 - number
        for word in order:
            total = (a + _mix(mix, b, c, d) + block[word] + added[number]) & _MASK
            rotated = (_rotate_left(total, _ROTATIONS[number][word]) + e) & _MASK
            a, b, c, d, e = e, rotated, b, _rotate_left(c, 10), d
        order = tuple(_RHO[word] for word in order)
    return a, b, c, d, e


def _mix(number: int, x: int, y: int, z: int) -> int:
    match number:
        case 0:
            return x ^ y ^ z
        case 1:
            return (x & y) | (~x & z)
        case 2:
            return (x | ~y) ^ z
        case 3:
            return (x & z) | (y & ~z)
    return x ^ (y | ~z)


def _rotate_left(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _MASK
