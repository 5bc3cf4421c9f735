"""RLP codecs of transaction fields.

Encoding rejects every value that decoding would reject, so every encoded value can be decoded.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from signer.core.ethereum.address import ADDRESS_BYTES
from signer.core.ethereum.errors import TransactionDecodingError, TransactionEncodingError
from signer.core.ethereum.rlp_codec import RlpItem, encode_list, encode_string, encode_uint

AccessList: TypeAlias = tuple[tuple[bytes, tuple[bytes, ...]], ...]

HASH_BYTES: Final = 32  # a storage key, a versioned hash
UINT64_MAX: Final = 2**64 - 1
UINT256_MAX: Final = 2**256 - 1
_UINT256_BYTES: Final = 32
_ACCESS_ENTRY_ITEMS: Final = 2
_EMPTY_STRING: Final = encode_string(b"")
_EMPTY_LIST: Final = encode_list(b"")


class FieldCodec(NamedTuple):
    """Codec of one kind of field: from a Python value to RLP, and from a decoded RLP item.

    Both take the field's location for TransactionEncodingError or TransactionDecodingError.
    """

    encode: Callable[[Any, str], bytes]
    decode: Callable[[RlpItem, str], Any]


def require_list(item: RlpItem, location: str) -> list[RlpItem]:
    """Return the item if it is a list; raise TransactionDecodingError otherwise."""
    if not isinstance(item, list):
        raise TransactionDecodingError(location, "is bytes; it must be a list.")
    return item


def _encode_uint(value: int, location: str) -> bytes:
    if 0 <= value <= UINT256_MAX:
        return encode_uint(value)
    raise TransactionEncodingError(location, "must be from 0 to 2^256 - 1.")


def _decode_uint(item: RlpItem, location: str) -> int:
    if isinstance(item, bytes) and len(item) <= _UINT256_BYTES and item[:1] != b"\x00":
        return int.from_bytes(item, "big")
    content = _decode_bytes(item, location)
    fault = "a leading zero byte" if content[0] == 0 else f"more than {_UINT256_BYTES} bytes"
    raise TransactionDecodingError(location, f"is an integer with {fault}.")


def _encode_bytes(value: bytes, _place: str) -> bytes:
    return encode_string(value)


def _decode_bytes(item: RlpItem, location: str) -> bytes:
    if not isinstance(item, bytes):
        raise TransactionDecodingError(location, "is a list; it must be bytes.")
    return item


def _encode_address(value: bytes | None, location: str) -> bytes:
    return _encode_exactly(ADDRESS_BYTES, value or b"", location)


def _decode_address(item: RlpItem, location: str) -> bytes:
    return _decode_exactly(ADDRESS_BYTES, item, location)


def _encode_recipient(value: bytes | None, location: str) -> bytes:
    return _EMPTY_STRING if value is None else _encode_exactly(ADDRESS_BYTES, value, location)


def _decode_recipient(item: RlpItem, location: str) -> bytes | None:
    return None if item == b"" else _decode_exactly(ADDRESS_BYTES, item, location)


def _encode_exactly(length: int, value: bytes, location: str) -> bytes:
    if len(value) == length:
        return encode_string(value)
    raise TransactionEncodingError(location, f"is {len(value)} bytes; it needs {length}.")


def _decode_exactly(length: int, item: RlpItem, location: str) -> bytes:
    content = _decode_bytes(item, location)
    if len(content) != length:
        raise TransactionDecodingError(location, f"is {len(content)} bytes; it needs {length}.")
    return content


def _encode_hashes(value: Sequence[bytes], location: str) -> bytes:
    hashes = enumerate(value)
    return encode_list(
        b"".join([_encode_exactly(HASH_BYTES, one, f"{location}[{n}]") for n, one in hashes])
    )


def _decode_hashes(item: RlpItem, location: str) -> tuple[bytes, ...]:
    hashes = enumerate(require_list(item, location))
    return tuple([_decode_exactly(HASH_BYTES, one, f"{location}[{n}]") for n, one in hashes])


def _encode_access_list(value: AccessList, location: str) -> bytes:
    if not value:  # the common case
        return _EMPTY_LIST
    entries = enumerate(value)
    return encode_list(
        b"".join([_encode_access_entry(entry, f"{location}[{n}]") for n, entry in entries])
    )


def _encode_access_entry(entry: tuple[bytes, tuple[bytes, ...]], location: str) -> bytes:
    address = _encode_address(entry[0], f"{location}.address")
    return encode_list(address + _encode_hashes(entry[1], f"{location}.storage_keys"))


def _decode_access_list(item: RlpItem, location: str) -> AccessList:
    entries = enumerate(require_list(item, location))
    return tuple([_decode_access_entry(entry, f"{location}[{n}]") for n, entry in entries])


def _decode_access_entry(item: RlpItem, location: str) -> tuple[bytes, tuple[bytes, ...]]:
    parts = require_list(item, location)
    if len(parts) != _ACCESS_ENTRY_ITEMS:
        raise TransactionDecodingError(location, f"has {len(parts)} items; it needs two.")
    address = _decode_address(parts[0], f"{location}.address")
    return address, _decode_hashes(parts[1], f"{location}.storage_keys")


UINT = FieldCodec(_encode_uint, _decode_uint)
BYTES = FieldCodec(_encode_bytes, _decode_bytes)
ADDRESS = FieldCodec(_encode_address, _decode_address)
RECIPIENT = FieldCodec(_encode_recipient, _decode_recipient)
HASHES = FieldCodec(_encode_hashes, _decode_hashes)
ACCESS_LIST = FieldCodec(_encode_access_list, _decode_access_list)
