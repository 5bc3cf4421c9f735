"""RLP as transactions need it, on the length prefixes of the ``rlp`` library.

Of `rlp.decode`, the depth of recursion is bounded by the recursion limit of the process alone,
and every list is copied at each level: 100 KB of nested lists cost seconds where some import
has raised that limit, as py_ecc does. `rlp.encode` takes twice as long as `encode_item`.
Source: Yellow Paper, appendix B.
"""

from typing import Final, TypeAlias

import rlp
from rlp.codec import consume_length_prefix, length_prefix

from signer.ethereum.errors import TransactionDecodingError

RlpItem: TypeAlias = "bytes | list[RlpItem]"

_STRING_TAG: Final = 0x80
_LIST_TAG: Final = 0xC0
# Fields, access list, entry, storage keys; and one more, so that the key which is a list is named.
_LISTS_NESTED_MAX: Final = 5


def encode_item(item: RlpItem) -> bytes:
    """Encode bytes or nested lists of bytes."""
    if isinstance(item, list):
        return _encode_list(b"".join(map(encode_item, item)))
    if len(item) == 1 and item[0] < _STRING_TAG:
        return item
    header: bytes = length_prefix(len(item), _STRING_TAG)
    return header + item


def append_items(encoded_list: bytes, items: list[bytes]) -> bytes:
    """Encode the list that ``encoded_list`` is, with ``items`` added at its end.

    Only its header is written anew; what it holds is copied as it stands.
    """
    _, _, _, content_start = consume_length_prefix(encoded_list, 0)
    return _encode_list(b"".join((encoded_list[content_start:], *map(encode_item, items))))


def decode_item(encoded: bytes) -> RlpItem:
    """Read exactly one canonical item whose lists nest no deeper than a transaction's.

    Raises TransactionDecodingError. Linear in the length of ``encoded``.
    """
    try:
        item, end = _read_item(encoded, 0, _LISTS_NESTED_MAX)
    except (rlp.DecodingError, IndexError) as error:
        raise TransactionDecodingError("transaction", "is not canonical RLP.") from error
    if end != len(encoded):
        raise TransactionDecodingError("transaction", "does not end where its RLP list does.")
    return item


def _encode_list(content: bytes) -> bytes:
    header: bytes = length_prefix(len(content), _LIST_TAG)
    return header + content


def _read_item(encoded: bytes, start: int, lists_left: int) -> tuple[RlpItem, int]:
    _, kind, length, content_start = consume_length_prefix(encoded, start)
    end = content_start + length
    if kind is bytes:
        return encoded[content_start:end], end
    if lists_left == 0:
        raise TransactionDecodingError("transaction", "nests lists deeper than any field does.")
    items: list[RlpItem] = []
    position = content_start
    while position < end:
        item, position = _read_item(encoded, position, lists_left - 1)
        items.append(item)
    if position != end:
        raise TransactionDecodingError("transaction", "has an item that overruns its list.")
    return items, end
