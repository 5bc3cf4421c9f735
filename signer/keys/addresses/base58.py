"""Base58 in the alphabets of Bitcoin and of the XRP Ledger, with and without checksum.

Encoding only, as addresses are derived and never parsed. Source: Internet-Draft
draft-msporny-base58-03; XRPL's "Base58 Encodings" for the second alphabet.
"""

import hashlib

BITCOIN = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
XRP = "rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_CHECKSUM_BYTES = 4


def encode(content: bytes, alphabet: str = BITCOIN) -> str:
    """Encode bytes as a base-58 number; every leading zero byte is one zero digit."""
    number, digits = int.from_bytes(content, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = alphabet[digit] + digits
    zeros = len(content) - len(content.lstrip(b"\x00"))
    return alphabet[0] * zeros + digits


def encode_check(content: bytes, alphabet: str = BITCOIN) -> str:
    """Encode bytes followed by the first four bytes of their double SHA-256."""
    checksum = hashlib.sha256(hashlib.sha256(content).digest()).digest()[:_CHECKSUM_BYTES]
    return encode(content + checksum, alphabet)
