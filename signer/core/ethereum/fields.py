"""Encoders of transaction fields: from a Python value to RLP.

Each refuses a value of another type, length or range, so that a value has one encoding or none. An
encoder takes the field's location, which the TransactionEncodingError names.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from signer.core.errors import TransactionEncodingError
from signer.core.ethereum.address import ADDRESS_BYTES
from signer.core.ethereum.rlp_codec import encode_list, encode_string, encode_uint

AccessList: TypeAlias = tuple[tuple[bytes, tuple[bytes, ...]], ...]
FieldEncoder: TypeAlias = Callable[[Any, str], bytes]

HASH_BYTES: Final = 32  # a storage key, a versioned hash
UINT64_MAX: Final = 2**64 - 1
UINT256_MAX: Final = 2**256 - 1
_ACCESS_ENTRY_ITEMS: Final = 2
_EMPTY_STRING: Final = encode_string(b"")
_EMPTY_LIST: Final = encode_list(b"")


def uint(value: Any, location: str) -> bytes:
    """Encode an unsigned integer of 256 bits."""
    # Not isinstance: True would be signed as 1.
    if type(value) is int and 0 <= value <= UINT256_MAX:
        return encode_uint(value)
    raise TransactionEncodingError(location, "must be from 0 to 2^256 - 1.")


def byte_string(value: Any, location: str) -> bytes:
    """Encode bytes of any length."""
    # A bytearray could change between the check and the signature.
    if type(value) is not bytes:
        raise TransactionEncodingError(location, "must be bytes.")
    return encode_string(value)


def address(value: Any, location: str) -> bytes:
    """Encode the 20 bytes of an address."""
    return _exactly(ADDRESS_BYTES, value, location)


def recipient(value: Any, location: str) -> bytes:
    """Encode an address, or None, which creates a contract."""
    return _EMPTY_STRING if value is None else address(value, location)


def hashes(value: Any, location: str) -> bytes:
    """Encode a tuple of hashes of 32 bytes."""
    items = enumerate(entries(value, location))
    return encode_list(
        b"".join([_exactly(HASH_BYTES, one, f"{location}[{n}]") for n, one in items])
    )


def access_list(value: Any, location: str) -> bytes:
    """Encode an access list (EIP-2930)."""
    if value == ():  # the common case
        return _EMPTY_LIST
    items = enumerate(entries(value, location))
    return encode_list(b"".join([_access_entry(entry, f"{location}[{n}]") for n, entry in items]))


def entries(value: Any, location: str) -> tuple[Any, ...]:
    """Return the value if it is a tuple; raise TransactionEncodingError otherwise."""
    if not isinstance(value, tuple):
        raise TransactionEncodingError(location, "must be a tuple.")
    return value


def _access_entry(entry: Any, location: str) -> bytes:
    if len(entries(entry, location)) != _ACCESS_ENTRY_ITEMS:
        raise TransactionEncodingError(location, "must be an address and its storage keys.")
    address_item = address(entry[0], f"{location}.address")
    return encode_list(address_item + hashes(entry[1], f"{location}.storage_keys"))


def _exactly(length: int, value: Any, location: str) -> bytes:
    encoded = byte_string(value, location)
    if len(value) != length:
        raise TransactionEncodingError(location, f"is {len(value)} bytes; it needs {length}.")
    return encoded
