"""How each kind of transaction field becomes an RLP item, and is read back from one.

Encoding refuses what decoding would refuse, so that whatever can be written can be read.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from signer.ethereum.address import ADDRESS_BYTES
from signer.ethereum.errors import TransactionDecodingError, TransactionEncodingError
from signer.ethereum.rlp_codec import RlpItem

AccessList: TypeAlias = tuple[tuple[bytes, tuple[bytes, ...]], ...]

STORAGE_KEY_BYTES = 32
UINT256_MAX = 2**256 - 1
_UINT256_BYTES = 32
_ACCESS_ENTRY_ITEMS = 2


class FieldCodec(NamedTuple):
    """One kind of field: both ways between a Python value and an RLP item.

    Both take the field's place, to name it in TransactionEncodingError or
    TransactionDecodingError.
    """

    encode: Callable[[Any, str], RlpItem]
    decode: Callable[[RlpItem, str], Any]


def _encode_uint(value: int, place: str) -> bytes:
    if not 0 <= value <= UINT256_MAX:
        raise TransactionEncodingError(place, "must be from 0 to 2^256 - 1.")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _decode_uint(item: RlpItem, place: str) -> int:
    content = _decode_bytes(item, place)
    if len(content) > _UINT256_BYTES:
        raise TransactionDecodingError(place, "is an integer of more than 32 bytes.")
    if content[:1] == b"\x00":
        raise TransactionDecodingError(place, "is an integer with a leading zero byte.")
    return int.from_bytes(content, "big")


def _encode_bytes(value: bytes, _place: str) -> bytes:
    return value


def _decode_bytes(item: RlpItem, place: str) -> bytes:
    if not isinstance(item, bytes):
        raise TransactionDecodingError(place, "is a list where bytes belong.")
    return item


def _encode_recipient(value: bytes | None, place: str) -> bytes:
    return b"" if value is None else _encode_exactly(ADDRESS_BYTES, value, place)


def _decode_recipient(item: RlpItem, place: str) -> bytes | None:
    return None if item == b"" else _decode_exactly(ADDRESS_BYTES, item, place)


def _encode_exactly(length: int, value: bytes, place: str) -> bytes:
    if len(value) != length:
        raise TransactionEncodingError(place, f"is {len(value)} bytes; it needs {length}.")
    return value


def _decode_exactly(length: int, item: RlpItem, place: str) -> bytes:
    content = _decode_bytes(item, place)
    if len(content) != length:
        raise TransactionDecodingError(place, f"is {len(content)} bytes; it needs {length}.")
    return content


def _encode_access_list(value: AccessList, place: str) -> RlpItem:
    return [
        [
            _encode_exactly(ADDRESS_BYTES, address, f"{place}[{entry}].address"),
            [
                _encode_exactly(STORAGE_KEY_BYTES, key, f"{place}[{entry}].storage_keys[{slot}]")
                for slot, key in enumerate(keys)
            ],
        ]
        for entry, (address, keys) in enumerate(value)
    ]


def _decode_access_list(item: RlpItem, place: str) -> AccessList:
    entries = enumerate(_decode_list(item, place))
    return tuple(_decode_access_entry(entry, f"{place}[{index}]") for index, entry in entries)


def _decode_access_entry(item: RlpItem, place: str) -> tuple[bytes, tuple[bytes, ...]]:
    parts = _decode_list(item, place)
    if len(parts) != _ACCESS_ENTRY_ITEMS:
        raise TransactionDecodingError(place, f"has {len(parts)} items; it needs two.")
    address = _decode_exactly(ADDRESS_BYTES, parts[0], f"{place}.address")
    keys = enumerate(_decode_list(parts[1], f"{place}.storage_keys"))
    return address, tuple(
        _decode_exactly(STORAGE_KEY_BYTES, key, f"{place}.storage_keys[{slot}]")
        for slot, key in keys
    )


def _decode_list(item: RlpItem, place: str) -> list[RlpItem]:
    if not isinstance(item, list):
        raise TransactionDecodingError(place, "is bytes where a list belongs.")
    return item


UINT = FieldCodec(_encode_uint, _decode_uint)
BYTES = FieldCodec(_encode_bytes, _decode_bytes)
RECIPIENT = FieldCodec(_encode_recipient, _decode_recipient)
ACCESS_LIST = FieldCodec(_encode_access_list, _decode_access_list)
