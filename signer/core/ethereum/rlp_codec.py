"""RLP for transactions, with the length prefixes of the ``rlp`` library.

`rlp.decode` is not used: only the process's recursion limit bounds its depth, and it copies every
list once per nesting level. If an import raises that limit, as py_ecc does, 100 KB of nested lists
cost seconds. `rlp.encode` takes several times as long as this code. Source: Yellow Paper,
appendix B.
"""

from typing import Final, TypeAlias

import rlp
from rlp.codec import consume_length_prefix, length_prefix

from signer.core.errors import TransactionDecodingError

RlpItem: TypeAlias = "bytes | list[RlpItem]"

_STRING_TAG: Final = 0x80
_LIST_TAG: Final = 0xC0
_SHORT_MAX: Final = 55
_ONE_BYTE_TAG: Final = _STRING_TAG + 1
_SHORT_STRING_TAG_MAX: Final = _STRING_TAG + _SHORT_MAX
_SHORT_STRING: Final = tuple(bytes([_STRING_TAG + size]) for size in range(_SHORT_MAX + 1))
_SHORT_LIST: Final = tuple(bytes([_LIST_TAG + size]) for size in range(_SHORT_MAX + 1))
_SMALL_UINT: Final = (b"\x80", *(bytes([value]) for value in range(1, _STRING_TAG)))
# Fields, access list, entry, storage keys; plus one, so that an error names a key that is a list.
_LISTS_NESTED_MAX: Final = 5


def encode_string(content: bytes) -> bytes:
    """Encode a string of bytes."""
    size = len(content)
    if size > _SHORT_MAX:
        header: bytes = length_prefix(size, _STRING_TAG)
        return header + content
    if size == 1 and content[0] < _STRING_TAG:
        return content
    return _SHORT_STRING[size] + content


def encode_uint(value: int) -> bytes:
    """Encode an integer from 0 to 2^440 - 1 as its big-endian bytes without leading zeros."""
    if value < _STRING_TAG:
        return _SMALL_UINT[value]
    size = (value.bit_length() + 7) // 8
    return _SHORT_STRING[size] + value.to_bytes(size, "big")


def encode_list(content: bytes) -> bytes:
    """Encode a list; ``content`` is its encoded and joined items."""
    size = len(content)
    header: bytes = _SHORT_LIST[size] if size <= _SHORT_MAX else length_prefix(size, _LIST_TAG)
    return header + content


def decode_item(encoded: bytes) -> RlpItem:
    """Decode exactly one canonical item; its lists nest no deeper than those of a transaction.

    Raises TransactionDecodingError. Linear in the length of ``encoded``.
    """
    try:
        item, end = _read_item(encoded, 0, _LISTS_NESTED_MAX)
    except (rlp.DecodingError, IndexError) as error:
        raise TransactionDecodingError("transaction", "is not canonical RLP.") from error
    if end != len(encoded):
        raise TransactionDecodingError("transaction", "does not end with its RLP list.")
    return item


def _read_item(encoded: bytes, start: int, lists_left: int) -> tuple[RlpItem, int]:
    _, kind, length, content_start = consume_length_prefix(encoded, start)
    end = content_start + length
    if kind is bytes:
        return encoded[content_start:end], end
    if lists_left == 0:
        raise TransactionDecodingError("transaction", "nests lists deeper than any field does.")
    return _read_list(encoded, content_start, end, lists_left - 1), end


def _read_list(encoded: bytes, start: int, end: int, lists_left: int) -> list[RlpItem]:
    items: list[RlpItem] = []
    position = start
    while position < end:
        tag = encoded[position]
        # Short strings, by far the most common, are read inline, except tag 0x81: not every string
        # after it is canonical, so the library checks it.
        if tag < _STRING_TAG:
            items.append(encoded[position : position + 1])
            position += 1
        elif tag <= _SHORT_STRING_TAG_MAX and tag != _ONE_BYTE_TAG:
            start, position = position + 1, position + 1 + tag - _STRING_TAG
            items.append(encoded[start:position])
        elif tag == _LIST_TAG and lists_left:  # most access lists
            items.append([])
            position += 1
        else:
            item, position = _read_item(encoded, position, lists_left)
            items.append(item)
    if position != end:
        raise TransactionDecodingError("transaction", "has an item that overruns its list.")
    return items
