"""Bech32 (BIP-173), encoding only, as addresses are derived and never parsed."""

from collections.abc import Iterable, Iterator

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_WORDS = 6


def encode(prefix: str, words: Iterable[int]) -> str:
    """Encode 5-bit words of any length under a lower-case prefix.

    BIP-173 limits a string to 90 characters for its error detection; Cardano (CIP-19) does not.
    """
    content = list(words)
    return prefix + "1" + "".join(_ALPHABET[word] for word in content + _checksum(prefix, content))


def words_of(content: bytes) -> Iterator[int]:
    """Regroup bytes into 5-bit words; the last one is padded with zero bits."""
    bits, buffered = 0, 0
    for byte in content:
        buffered, bits = (buffered << 8 | byte) & 0xFFF, bits + 8
        while bits >= 5:  # noqa: PLR2004 - a word's bits
            bits -= 5
            yield buffered >> bits & 31
    if bits:
        yield buffered << (5 - bits) & 31


def _checksum(prefix: str, words: list[int]) -> list[int]:
    codes = [ord(letter) for letter in prefix]
    expanded = [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]
    rest = _polymod(expanded + words + [0] * _CHECKSUM_WORDS) ^ 1
    return [rest >> 5 * (5 - i) & 31 for i in range(_CHECKSUM_WORDS)]


def _polymod(words: Iterable[int]) -> int:
    rest = 1
    for word in words:
        top = rest >> 25
        rest = (rest & 0x1FFFFFF) << 5 ^ word
        for i, generator in enumerate(_GENERATORS):
            rest ^= generator if top >> i & 1 else 0
    return rest
