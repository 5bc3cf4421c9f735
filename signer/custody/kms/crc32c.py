"""CRC-32C (Castagnoli), the checksum of requests and replies of Google's KMS.

RFC 3720, appendix B.4, has the test vectors. It detects accidents, not attacks.
"""

_POLYNOMIAL = 0x82F63B78  # reflected
_BITS = 8


def _entry(byte: int) -> int:
    for _ in range(_BITS):
        byte = byte >> 1 ^ (_POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_entry, range(256)))


def crc32c(data: bytes | bytearray) -> int:
    """Return the checksum of some bytes, 32 bits."""
    checksum = 0xFFFFFFFF
    for byte in data:
        checksum = _TABLE[(checksum ^ byte) & 0xFF] ^ checksum >> _BITS
    return checksum ^ 0xFFFFFFFF
