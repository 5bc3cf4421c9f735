"""The elementary types of EIP-712: the JSON values they accept and their 32-byte encoding.

Stricter than the libraries of wallets: a value that two of them interpret differently is rejected,
so that the displayed value is the signed one.
"""

import re
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from signer.core.errors import AddressError
from signer.core.ethereum.address import parse_address
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.typed_data.errors import Code, TypedDataError

WORD_BYTES: Final = 32
# 256 bits need at most 78 digits and a sign, or 64 hexadecimal digits.
_DECIMAL = re.compile(r"0|-?[1-9][0-9]{0,77}")
_HEX_INTEGER = re.compile(r"0x[0-9a-fA-F]{1,64}")
_HEX_BYTES = re.compile(r"0x[0-9a-fA-F]*")

Elementary: TypeAlias = Callable[[Any], bytes]


def _encode_bool(value: Any) -> bytes:
    if value is not True and value is not False:
        raise TypedDataError(Code.BOOLEAN_INVALID, "must be true or false.")
    return value.to_bytes(WORD_BYTES, "big")


def _encode_address(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypedDataError(Code.ADDRESS_INVALID, "must be a string of 0x and 40 digits.")
    try:
        return parse_address(value).rjust(WORD_BYTES, b"\x00")
    except AddressError as error:
        raise TypedDataError(Code.ADDRESS_INVALID, f"is not an address: {error}") from None


def _encode_string(value: Any) -> bytes:
    if not isinstance(value, str):
        raise TypedDataError(Code.TEXT_EXPECTED, "must be a string.")
    return keccak256(value.encode())


def _encode_bytes(value: Any) -> bytes:
    return keccak256(_bytes(value))


def _fixed_bytes(length: int) -> Elementary:
    def encode(value: Any) -> bytes:
        content = _bytes(value)
        if len(content) != length:
            reason = f"is {len(content)} bytes; it needs {length}."
            raise TypedDataError(Code.BYTES_LENGTH_WRONG, reason)
        return content.ljust(WORD_BYTES, b"\x00")

    return encode


def _integer(bits: int, *, signed: bool) -> Elementary:
    most = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    least = -most - 1 if signed else 0
    span = f"-2^{bits - 1} to 2^{bits - 1} - 1" if signed else f"0 to 2^{bits} - 1"

    def encode(value: Any) -> bytes:
        number = _number(value)
        if not least <= number <= most:
            raise TypedDataError(Code.INTEGER_OUT_OF_RANGE, f"must be {span}.")
        return number.to_bytes(WORD_BYTES, "big", signed=signed)

    return encode


def _number(value: Any) -> int:
    if type(value) is int:  # not a bool
        return value
    if isinstance(value, str):
        if _DECIMAL.fullmatch(value):
            return int(value)
        if _HEX_INTEGER.fullmatch(value):
            return int(value, 16)
    reason = "must be an integer, or a string of its decimal or 0x-hex digits."
    raise TypedDataError(Code.INTEGER_INVALID, reason)


def _bytes(value: Any) -> bytes:
    if not isinstance(value, str) or len(value) % 2 or not _HEX_BYTES.fullmatch(value):
        raise TypedDataError(Code.BYTES_INVALID, "must be 0x and pairs of hexadecimal digits.")
    return bytes.fromhex(value[2:])


ELEMENTARY: Final[dict[str, Elementary]] = {
    "bool": _encode_bool,
    "address": _encode_address,
    "string": _encode_string,
    "bytes": _encode_bytes,
    **{f"bytes{length}": _fixed_bytes(length) for length in range(1, 33)},
    **{f"uint{bits}": _integer(bits, signed=False) for bits in range(8, 257, 8)},
    **{f"int{bits}": _integer(bits, signed=True) for bits in range(8, 257, 8)},
}
"""Every elementary type by its only name; EIP-712 has no alias such as ``uint``."""
