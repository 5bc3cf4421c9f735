"""EIP-2718 transactions: canonical bytes and hashes, from one table of types."""

import dataclasses
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from signer.core.errors import TransactionEncodingError
from signer.core.ethereum.authorization import authorization_list
from signer.core.ethereum.fields import (
    UINT256_MAX,
    FieldEncoder,
    access_list,
    address,
    byte_string,
    hashes,
    recipient,
    uint,
)
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.rlp_codec import encode_list, encode_string, encode_uint
from signer.core.ethereum.signature import check_signature
from signer.core.ethereum.transaction import (
    AccessListTransaction,
    BlobTransaction,
    FeeMarketTransaction,
    LegacyTransaction,
    SetCodeTransaction,
    Transaction,
    TxType,
)

EIP155_V_BASE: Final = 35
# Chain id 0 would allow replay on any chain, which EIP-155 prevents; above the range, v exceeds 32
# bytes.
EIP155_CHAIN_IDS: Final = range(1, (UINT256_MAX - EIP155_V_BASE - 1) // 2 + 1)


# Every field by its only encoder.
_ENCODERS: Final[dict[str, FieldEncoder]] = {
    "chain_id": uint,
    "nonce": uint,
    "gas_price_wei": uint,
    "max_priority_fee_per_gas_wei": uint,
    "max_fee_per_gas_wei": uint,
    "gas_limit": uint,
    "to": recipient,
    "value_wei": uint,
    "data": byte_string,
    "access_list": access_list,
    "max_fee_per_blob_gas_wei": uint,
    "blob_versioned_hashes": hashes,
    "authorization_list": authorization_list,
}


class TransactionFormat(NamedTuple):
    """One row of the table of types: number, record, and the items of its RLP list.

    The three items of the signature follow them.
    """

    number: TxType
    record: type[Transaction]
    fields: tuple[tuple[str, FieldEncoder], ...]


def _format(number: TxType, record: type[Transaction], **own: FieldEncoder) -> TransactionFormat:
    """Return the row of a type. The fields of a record have the order of the RLP list."""
    encoders = _ENCODERS | own
    names = [field.name for field in dataclasses.fields(record)]
    # For type 0, EIP-155 appends the chain id to the fields to sign, and encodes it in v later.
    items = names[:-1] if number is TxType.LEGACY else names
    return TransactionFormat(number, record, tuple((name, encoders[name]) for name in items))


LEGACY: Final = _format(TxType.LEGACY, LegacyTransaction)
TRANSACTION_TYPES: Final = (
    LEGACY,
    _format(TxType.ACCESS_LIST, AccessListTransaction),
    _format(TxType.FEE_MARKET, FeeMarketTransaction),
    # EIP-4844 and EIP-7702: these types cannot create a contract.
    _format(TxType.BLOB, BlobTransaction, to=address),
    _format(TxType.SET_CODE, SetCodeTransaction, to=address),
)
_OF_RECORD: Final = {
    row.record: (row, attrgetter(*(field.name for field in dataclasses.fields(row.record))))
    for row in TRANSACTION_TYPES
}


class Encoding(NamedTuple):
    """The encoding that the unsigned and signed forms of a transaction share; see `encode`.

    ``content`` is the joined RLP of the fields. ``unsigned_tail`` follows it only in the bytes to
    sign. ``v_base`` plus the y parity is v (0 except for EIP-155).
    """

    prefix: bytes
    content: bytes
    unsigned_tail: bytes
    v_base: int

    def unsigned(self) -> bytes:
        """Return the bytes that are hashed and signed: type byte and RLP list."""
        return self.prefix + encode_list(self.content + self.unsigned_tail)

    def signing_hash(self) -> bytes:
        """Return the 32-byte digest that the sender's key signs."""
        return keccak256(self.unsigned())

    def signed(self, signature65: bytes) -> bytes:
        """Return the bytes to broadcast, with the signature: r (32 bytes), s (32), y parity (1).

        Raises SignatureError as `check_signature` does.
        """
        check_signature(signature65)
        v = encode_uint(self.v_base + signature65[64])
        r = encode_string(signature65[:32].lstrip(b"\x00"))
        s = encode_string(signature65[32:64].lstrip(b"\x00"))
        return self.prefix + encode_list(self.content + v + r + s)


def encode(tx: Transaction) -> Encoding:
    """Encode the fields of a transaction for both of its forms.

    Raises TransactionEncodingError for a value that has no canonical encoding.
    Source: EIP-155, EIP-2718, EIP-2930, EIP-1559, EIP-4844, EIP-7702.
    """
    if type(tx) not in _OF_RECORD:
        raise TransactionEncodingError("transaction", "is not a record of a known type.")
    row, values_of = _OF_RECORD[type(tx)]
    return encode_values(row, values_of(tx))


def encode_values(row: TransactionFormat, values: Sequence[Any]) -> Encoding:
    """Encode the values of a record of a type, in its order, as `encode` does."""
    named = zip(row.fields, values, strict=False)  # the chain id of type 0 is not a list item
    content = b"".join([write(value, name) for (name, write), value in named])
    if row is LEGACY:
        return _encoding_of_legacy(content, values[-1])
    return Encoding(bytes((row.number,)), content, b"", 0)


def _encoding_of_legacy(content: bytes, chain_id: int) -> Encoding:
    if chain_id not in EIP155_CHAIN_IDS:
        raise TransactionEncodingError("chain_id", "must be at least 1 and fit into v (EIP-155).")
    nothing = encode_uint(0)
    tail = encode_uint(chain_id) + nothing + nothing
    return Encoding(b"", content, tail, EIP155_V_BASE + 2 * chain_id)


def transaction_hash(raw: bytes) -> bytes:
    """Return the 32-byte hash that names the signed transaction ``raw`` on its chain."""
    return keccak256(raw)
