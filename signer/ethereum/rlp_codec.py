"""RLP as transactions need it; property tests compare it with the ``rlp`` library.

Of `rlp.decode`, the depth of recursion is bounded by the recursion limit of the process alone,
and every list is copied at each level: 100 KB of nested lists cost seconds where some import
has raised that limit, as py_ecc does. `rlp.encode` takes several times as long as this, and
importing the library as long as importing pydantic.
Source: Yellow Paper, appendix B.
"""

from typing import Final, TypeAlias

from signer.ethereum.errors import TransactionDecodingError

RlpItem: TypeAlias = "bytes | list[RlpItem]"

_STRING_TAG: Final = 0x80
_LIST_TAG: Final = 0xC0
_SHORT_MAX: Final = 55
_ONE_BYTE_TAG: Final = _STRING_TAG + 1
_SHORT_STRING_TAG_MAX: Final = _STRING_TAG + _SHORT_MAX
_SHORT_STRING: Final = tuple(bytes([_STRING_TAG + size]) for size in range(_SHORT_MAX + 1))
_SHORT_LIST: Final = tuple(bytes([_LIST_TAG + size]) for size in range(_SHORT_MAX + 1))
_SMALL_UINT: Final = (b"\x80", *(bytes([value]) for value in range(1, _STRING_TAG)))
# Fields, access list, entry, storage keys; and one more, so that the key which is a list is named.
_LISTS_NESTED_MAX: Final = 5


def encode_string(content: bytes) -> bytes:
    """Encode a string of bytes."""
    size = len(content)
    if size > _SHORT_MAX:
        return _long_header(size, _STRING_TAG) + content
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
    """Encode a list whose items, encoded and joined, are ``content``."""
    size = len(content)
    header = _SHORT_LIST[size] if size <= _SHORT_MAX else _long_header(size, _LIST_TAG)
    return header + content


def decode_item(encoded: bytes) -> RlpItem:
    """Read exactly one canonical item whose lists nest no deeper than a transaction's.

    Raises TransactionDecodingError. Linear in the length of ``encoded``.
    """
    try:
        item, end = _read_item(encoded, 0, _LISTS_NESTED_MAX)
    except IndexError as error:
        raise _not_canonical() from error
    if end != len(encoded):
        raise TransactionDecodingError("transaction", "does not end where its RLP list does.")
    return item


def _read_item(encoded: bytes, start: int, lists_left: int) -> tuple[RlpItem, int]:
    is_list, content_start, length = _read_header(encoded, start)
    end = content_start + length
    if not is_list:
        return encoded[content_start:end], end
    if lists_left == 0:
        raise TransactionDecodingError("transaction", "nests lists deeper than any field does.")
    return _read_list(encoded, content_start, end, lists_left - 1), end


def _read_header(encoded: bytes, start: int) -> tuple[bool, int, int]:
    """Return whether an item is a list, where its content starts, and how long that is."""
    tag = encoded[start]
    if tag < _STRING_TAG:
        return False, start, 1
    is_list = tag >= _LIST_TAG
    length = tag - (_LIST_TAG if is_list else _STRING_TAG)
    content_start = start + 1
    if length <= _SHORT_MAX:
        if tag == _ONE_BYTE_TAG and encoded[content_start] < _STRING_TAG:
            raise _not_canonical()  # that byte is its own encoding
        return is_list, content_start, length
    length_start, content_start = content_start, content_start + length - _SHORT_MAX
    length = int.from_bytes(encoded[length_start:content_start], "big")
    if encoded[length_start] == 0 or length <= _SHORT_MAX:
        raise _not_canonical()  # a shorter header would do
    return is_list, content_start, length


def _read_list(encoded: bytes, start: int, end: int, lists_left: int) -> list[RlpItem]:
    items: list[RlpItem] = []
    position = start
    while position < end:
        tag = encoded[position]
        # Short strings, nearly all there is, are read in place; of 0x81 only some are canonical.
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


def _long_header(size: int, tag: int) -> bytes:
    """Return the header of content that is longer than a short header can say."""
    written = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag + _SHORT_MAX + len(written)]) + written


def _not_canonical() -> TransactionDecodingError:
    return TransactionDecodingError("transaction", "is not canonical RLP.")
