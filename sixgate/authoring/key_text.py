"""Private keys as text: 64 hexadecimal digits."""

import re

from signer.custody.buffers import wiping

SECRET_BYTES = 32
TEXT_BYTES_MAX = 256
_TEXT = re.compile(rb"[\s\0]*(?:0[xX])?([0-9a-fA-F]{64})[\s\0]*")
_LIKE_ONE = re.compile(r"(0[xX])?[0-9a-fA-F]{48,}")
_VALUES = {ord(digit): int(digit, 16) for digit in "0123456789abcdefABCDEF"}


class KeyFormatError(Exception):
    """The text is not a private key. The message repeats nothing of it."""


ON_THE_COMMAND_LINE = (
    "looks like a private key: a command line is kept in the shell's history and visible to all, "
    "so consider that key compromised"
)
"""Printed instead of the argument."""


def looks_like_a_key(word: str) -> bool:
    """Return whether an argument may be a key or part of one, and so must not be printed."""
    return _LIKE_ONE.fullmatch(word) is not None


def read_key_text(text: bytearray) -> bytearray:
    """Decode 64 hex digits, with or without ``0x``, into a buffer that the caller wipes.

    Ignores surrounding whitespace and zero bytes. Wipes ``text``. Raises ``KeyFormatError``.
    """
    with wiping(text):
        found = _TEXT.fullmatch(text)
        if found is None:
            raise KeyFormatError("holds no private key, which is 64 hexadecimal digits")
        start, secret = found.start(1), bytearray(SECRET_BYTES)
        # Digit by digit: ``bytes.fromhex`` would leave an immutable copy that cannot be wiped.
        for n in range(SECRET_BYTES):
            high, low = text[start + 2 * n], text[start + 2 * n + 1]
            secret[n] = _VALUES[high] << 4 | _VALUES[low]
        return secret
