"""Messages of personal_sign (EIP-191): their digest, and what they could be mistaken for.

The EIP-191 prefix already separates the signature of a message from that of a transaction.
Contracts that verify prefixed hashes undo this: for them the signature of a 32-byte message
approves whatever has this hash. And the pre-image of a hash has no legitimate use as a message.
"""

import re
from typing import Final

from signer.core.errors import TransactionDecodingError
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.rlp_codec import RlpItem, decode_item
from signer.core.ethereum.transaction import TYPE_BYTE_MAX

_PREFIX: Final = b"\x19Ethereum Signed Message:\n"
_HASH_BYTES: Final = 32
_EIP_191: Final = 0x19
_TYPES: Final = range(0x01, 0x06)  # EIP-2718 types in use, and the magic of EIP-7702
_RLP_LISTS: Final = 0xC0
_LEGACY_ITEMS: Final = (6, 9)  # unsigned before EIP-155; unsigned since, or signed
_HEX = re.compile(rb"\s*(?:0[xX])?((?:[0-9a-fA-F]{2})+)\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def personal_message_hash(message: bytes) -> bytes:
    """Return the 32-byte digest that personal_sign signs for ``message``.

    Its length is hashed as decimal digits. Source: EIP-191, version 0x45.
    """
    return keccak256(_PREFIX + str(len(message)).encode() + message)


def mistakable_for(message: bytes) -> str | None:
    """Return what a message could be mistaken for, or None.

    Hexadecimal text is judged as text and as the bytes it encodes. Every message of exactly 32
    bytes counts as a hash: an attacker can search for a hash that is readable text.
    Source: EIP-191, EIP-712, EIP-2718, EIP-7702.
    """
    encoded = _HEX.fullmatch(message)
    return _mistakable_for(message) or (
        _mistakable_for(bytes.fromhex(encoded[1].decode())) if encoded else None
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
    """Return the items if the whole content is one RLP list.

    Text can be one by chance: in many scripts the first byte of a letter is a list tag.
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
