"""What a message could be taken for that is no message: a hash, a transaction, typed data.

The prefix of EIP-191 already keeps a message's signature apart from a transaction's. Contracts
that verify prefixed hashes undo that: to them the signature of a 32-byte message is that of
whatever has this hash. And bytes that only ever are a pre-image have no business in a message.
"""

import re
from typing import Final

from signer.ethereum.errors import TransactionDecodingError
from signer.ethereum.rlp_codec import RlpItem, decode_item
from signer.ethereum.transaction import TYPE_BYTE_MAX

_HASH_BYTES: Final = 32
_EIP_191: Final = 0x19
_TYPES: Final = range(0x01, 0x06)  # EIP-2718 types in use, and the magic of EIP-7702
_RLP_LISTS: Final = 0xC0
_LEGACY_ITEMS: Final = (6, 9)  # before EIP-155; since, and signed
_HEX = re.compile(rb"\s*(?:0[xX])?((?:[0-9a-fA-F]{2})+)\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def mistakable_for(message: bytes) -> str | None:
    """Say what a message could be taken for beside a message, or None.

    A message that is hexadecimal text is judged by the text and by the bytes it spells. Every
    message of exactly 32 bytes counts as a hash: one that reads as text can be searched for.
    Source: EIP-191, EIP-712, EIP-2718, EIP-7702.
    """
    spelt = _HEX.fullmatch(message)
    return _mistakable_for(message) or (
        _mistakable_for(bytes.fromhex(spelt[1].decode())) if spelt else None
    )


def _mistakable_for(content: bytes) -> str | None:
    if len(content) == _HASH_BYTES:
        return "a hash of 32 bytes"
    if content[:1] == bytes([_EIP_191]):
        return "a pre-image of EIP-191 or EIP-712"
    if _could_be_typed(content):
        return "an EIP-2718 transaction or an EIP-7702 authorization"
    if _could_be_legacy(content):
        return "a legacy transaction"
    return None


def _could_be_typed(content: bytes) -> bool:
    if len(content) < 2 or content[0] > TYPE_BYTE_MAX or content[1] < _RLP_LISTS:  # noqa: PLR2004 - type, list
        return False
    return content[0] in _TYPES or (not _is_text(content) and _list(content[1:]) is not None)


def _could_be_legacy(content: bytes) -> bool:
    items = _list(content)
    return items is not None and (not _is_text(content) or len(items) in _LEGACY_ITEMS)


def _list(content: bytes) -> list[RlpItem] | None:
    """Return the items if all of the content is one RLP list.

    Text can be one by chance, as the first byte of many scripts' letters begins a list.
    """
    if content[:1] < bytes([_RLP_LISTS]):
        return None
    try:
        item = decode_item(content)
    except TransactionDecodingError:
        return None
    return item if isinstance(item, list) else None


def _is_text(content: bytes) -> bool:
    try:
        return _CONTROL.search(content.decode()) is None
    except UnicodeDecodeError:
        return False
