"""Random text for secrets that the gateway generates."""

import string
from collections.abc import Callable, Mapping
from types import MappingProxyType

ALPHABETS: Mapping[str, bytes] = MappingProxyType(
    {
        "alphanumeric": (string.ascii_letters + string.digits).encode(),
        "base64": (string.ascii_letters + string.digits + "+/").encode(),
        "hex": b"0123456789abcdef",
        "numeric": string.digits.encode(),
    }
)
_BYTE_VALUES = 256


def generated_value(random_hex: Callable[[int], str], length: int, charset: str) -> bytearray:
    """Return random characters, each equally likely; the caller wipes them.

    A byte beyond the last multiple of the alphabet's size is dropped: it would favour the first
    characters.
    """
    alphabet = ALPHABETS[charset]
    limit = _BYTE_VALUES - _BYTE_VALUES % len(alphabet)
    value = bytearray()
    while len(value) < length:
        drawn = bytes.fromhex(random_hex(length))
        value.extend(alphabet[byte % len(alphabet)] for byte in drawn if byte < limit)
    del value[length:]
    return value
