"""EIP-2718 transactions: canonical bytes and hashes, from one table of types."""

from dataclasses import dataclass
from typing import NamedTuple

from signer.ethereum.fields import (
    ACCESS_LIST,
    BYTES,
    RECIPIENT,
    UINT,
    AccessList,
    FieldCodec,
)
from signer.ethereum.keccak import keccak256
from signer.ethereum.rlp_codec import append_items, encode_item
from signer.ethereum.signature import check_signature

# What public transaction pools take (go-ethereum's txMaxSize); it also bounds the decoder.
MAX_TRANSACTION_BYTES = 131_072


@dataclass(frozen=True, slots=True)
class FeeMarketTransaction:
    """Hold the fields of an EIP-1559 transaction (type 2), in the order they are signed.

    ``to`` is 20 bytes, or None to create a contract from ``data``; an access-list entry is an
    address (20 bytes) and its storage keys (32 bytes each). Fees are wei per unit of gas.
    """

    chain_id: int
    nonce: int
    max_priority_fee_per_gas_wei: int
    max_fee_per_gas_wei: int
    gas_limit: int
    to: bytes | None
    value_wei: int
    data: bytes
    access_list: AccessList = ()


class TransactionType(NamedTuple):
    """One row of the table of types: the byte before the RLP list, its record, its fields."""

    prefix: bytes
    record: type[FeeMarketTransaction]
    fields: tuple[tuple[str, FieldCodec], ...]


TRANSACTION_TYPES = (
    TransactionType(
        b"\x02",
        FeeMarketTransaction,
        (
            ("chain_id", UINT),
            ("nonce", UINT),
            ("max_priority_fee_per_gas_wei", UINT),
            ("max_fee_per_gas_wei", UINT),
            ("gas_limit", UINT),
            ("to", RECIPIENT),
            ("value_wei", UINT),
            ("data", BYTES),
            ("access_list", ACCESS_LIST),
        ),
    ),
)
_TYPE_OF_RECORD = {row.record: row for row in TRANSACTION_TYPES}
TYPE_OF_PREFIX = {row.prefix: row for row in TRANSACTION_TYPES}


def unsigned_bytes(tx: FeeMarketTransaction) -> bytes:
    """Encode what is hashed and signed: the type byte and the RLP list of the fields.

    Raises TransactionEncodingError for a value that has no canonical encoding.
    Source: EIP-1559, EIP-2718.
    """
    row = _TYPE_OF_RECORD[type(tx)]
    items = [codec.encode(getattr(tx, name), name) for name, codec in row.fields]
    return row.prefix + encode_item(items)


def signing_hash(tx: FeeMarketTransaction) -> bytes:
    """Return the 32-byte digest that the sender's key signs."""
    return keccak256(unsigned_bytes(tx))


def signed_bytes(tx: FeeMarketTransaction, signature65: bytes) -> bytes:
    """Encode the transaction with its signature (r, s, y parity), ready to broadcast.

    Raises TransactionEncodingError, or SignatureError as `check_signature` does.
    """
    return attach_signature(unsigned_bytes(tx), signature65)


def attach_signature(unsigned: bytes, signature65: bytes) -> bytes:
    """Append a signature to canonical unsigned bytes, without encoding the fields again.

    Raises SignatureError as `check_signature` does.
    """
    check_signature(signature65)
    r, s, y_parity = signature65[:32], signature65[32:64], signature65[64:]
    integers = [integer.lstrip(b"\x00") for integer in (y_parity, r, s)]
    return unsigned[:1] + append_items(unsigned[1:], integers)


def transaction_hash(raw: bytes) -> bytes:
    """Return the 32-byte hash that names the signed transaction ``raw`` on its chain."""
    return keccak256(raw)
