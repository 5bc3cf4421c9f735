"""Finders of `validation`: each returns the location where a transaction breaks a rule, or None.

The rule table runs a finder only on records that have the fields it reads.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, TypeAlias

from signer.core.errors import SignatureError, TransactionEncodingError
from signer.core.ethereum.authorization import authority
from signer.core.ethereum.fields import HASH_BYTES, UINT256_MAX, FieldEncoder
from signer.core.ethereum.gas import cost_wei_max, intrinsic_gas
from signer.core.ethereum.transaction import (
    MAX_TRANSACTION_BYTES,
    BlobTransaction,
    FeeMarketTransaction,
    LegacyTransaction,
    SetCodeTransaction,
    Transaction,
)

Finder: TypeAlias = Callable[[Any], str | None]

MAX_INIT_CODE_BYTES: Final = 49_152  # EIP-3860
# EIP-7594 (per transaction); EIP-4844 originally allowed 6 per block.
MAX_BLOBS: Final = 6
BLOB_HASH_VERSION: Final = 0x01  # EIP-4844, VERSIONED_HASH_VERSION_KZG
# Upper bounds of encoded sizes: per access entry an address and two list headers, per hash its
# one-byte header, per authorization (its numbers are already checked to be in range) six items and
# a header, and below 288 bytes for everything else with the signature.
_ACCESS_ENTRY_BYTES_MAX: Final = 29
_HASH_BYTES_MAX: Final = 33
_AUTHORIZATION_BYTES_MAX: Final = 109
_OTHER_FIELDS_BYTES_MAX: Final = 288


def outside(field: str, least: int, most: int) -> Finder:
    """Find what is not an integer from ``least`` to ``most``."""
    read = attrgetter(field)

    def find(record: Any) -> str | None:
        value = read(record)
        return None if type(value) is int and least <= value <= most else field

    return find


def missing(field: str) -> Finder:
    """Find a field that is None or empty."""
    read = attrgetter(field)

    def find(tx: Any) -> str | None:
        return None if read(tx) else field

    return find


def in_each_authorization(find: Finder) -> Finder:
    """Apply ``find`` to every authorization of the list and return the first location it finds."""

    def find_in_list(tx: SetCodeTransaction) -> str | None:
        for entry, signed in enumerate(tx.authorization_list):
            location = find(signed.authorization)
            if location is not None:
                return f"authorization_list[{entry}].{location}"
        return None

    return find_in_list


def priority_above_max(tx: FeeMarketTransaction) -> str | None:
    """Find a priority fee above the max fee, of which it is a part (EIP-1559)."""
    above = tx.max_priority_fee_per_gas_wei > tx.max_fee_per_gas_wei
    return "max_priority_fee_per_gas_wei" if above else None


def cost_overflow(field: str) -> Finder:
    """Find a fee at which gas, blobs and value cost more than 2^256 - 1 wei."""

    def find(tx: Transaction) -> str | None:
        return field if cost_wei_max(tx) + tx.value_wei > UINT256_MAX else None

    return find


def unencodable(field: str, encode: FieldEncoder) -> Finder:
    """Find a value of the wrong length or type, in a field or in one of its entries."""
    read = attrgetter(field)

    def find(record: Any) -> str | None:
        try:
            encode(read(record), field)
        except TransactionEncodingError as error:
            return error.location
        return None

    return find


def too_many_blobs(tx: BlobTransaction) -> str | None:
    """Find more blobs than a transaction may carry."""
    return "blob_versioned_hashes" if len(tx.blob_versioned_hashes) > MAX_BLOBS else None


def malformed_blob_hash(tx: BlobTransaction) -> str | None:
    """Find a versioned hash of the wrong length or version."""
    for blob, versioned in enumerate(tx.blob_versioned_hashes):
        if len(versioned) != HASH_BYTES or versioned[0] != BLOB_HASH_VERSION:
            return f"blob_versioned_hashes[{blob}]"
    return None


def authorization_of_another_chain(tx: SetCodeTransaction) -> str | None:
    """Find an authorization that the transaction's chain would skip (EIP-7702)."""
    for entry, signed in enumerate(tx.authorization_list):
        if signed.authorization.chain_id not in (0, tx.chain_id):
            return f"authorization_list[{entry}].chain_id"
    return None


def unrecoverable_authorization(tx: SetCodeTransaction) -> str | None:
    """Find an authorization whose signature recovers to no key, or has a high s (EIP-2)."""
    for entry, signed in enumerate(tx.authorization_list):
        try:
            authority(signed)
        except SignatureError as error:
            return f"authorization_list[{entry}].{error.location}"
    return None


def oversized_init_code(tx: Transaction) -> str | None:
    """Find init code over the limit of EIP-3860."""
    return "data" if tx.to is None and len(tx.data) > MAX_INIT_CODE_BYTES else None


def oversized(tx: Transaction) -> str | None:
    """Find the largest field of a transaction that is too large for public pools."""
    sizes = {"data": len(tx.data)}
    if not isinstance(tx, LegacyTransaction):
        sizes["access_list"] = sum(
            _ACCESS_ENTRY_BYTES_MAX + _HASH_BYTES_MAX * len(keys) for _, keys in tx.access_list
        )
    if isinstance(tx, BlobTransaction):
        sizes["blob_versioned_hashes"] = _HASH_BYTES_MAX * len(tx.blob_versioned_hashes)
    if isinstance(tx, SetCodeTransaction):
        sizes["authorization_list"] = _AUTHORIZATION_BYTES_MAX * len(tx.authorization_list)
    if sum(sizes.values()) + _OTHER_FIELDS_BYTES_MAX <= MAX_TRANSACTION_BYTES:
        return None
    return max(sizes, key=lambda field: sizes[field])


def gas_below_intrinsic(tx: Transaction) -> str | None:
    """Find a gas limit below the intrinsic gas."""
    return "gas_limit" if tx.gas_limit < intrinsic_gas(tx) else None
