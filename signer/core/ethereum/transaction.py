"""The five types of EIP-2718 transactions as records; `encoding` encodes them.

In all of them ``to`` is 20 bytes, an access-list entry is an address (20 bytes) and its storage
keys (32 bytes each), and fees are wei per unit of gas. Records are not validated when created:
`first_problem` decides whether one may be signed. Fields are in the order of the RLP list.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, TypeAlias

from signer.core.ethereum.authorization import AuthorizationList
from signer.core.ethereum.fields import AccessList

# The limit of public transaction pools (go-ethereum's txMaxSize); also bounds the decoder.
MAX_TRANSACTION_BYTES: Final = 131_072
# The largest type byte; a larger first byte starts an RLP list: type 0 (EIP-2718).
TYPE_BYTE_MAX: Final = 0x7F


class TxType(IntEnum):
    """The supported EIP-2718 types."""

    LEGACY = 0
    ACCESS_LIST = 1
    FEE_MARKET = 2
    BLOB = 3
    SET_CODE = 4


@dataclass(frozen=True, slots=True)
class LegacyTransaction:
    """A transaction without a type byte (type 0), always bound to one chain.

    ``to`` None creates a contract from ``data``. Source: EIP-155.
    """

    nonce: int
    gas_price_wei: int
    gas_limit: int
    to: bytes | None
    value_wei: int
    data: bytes
    chain_id: int


@dataclass(frozen=True, slots=True)
class AccessListTransaction:
    """A transaction with a gas price and an access list (type 1).

    ``to`` None creates a contract from ``data``. Source: EIP-2930.
    """

    chain_id: int
    nonce: int
    gas_price_wei: int
    gas_limit: int
    to: bytes | None
    value_wei: int
    data: bytes
    access_list: AccessList = ()


@dataclass(frozen=True, slots=True)
class _FeeMarket:
    """The fields that all types with a max fee begin with."""

    chain_id: int
    nonce: int
    max_priority_fee_per_gas_wei: int
    max_fee_per_gas_wei: int
    gas_limit: int
    to: bytes | None
    value_wei: int
    data: bytes


@dataclass(frozen=True, slots=True)
class FeeMarketTransaction(_FeeMarket):
    """A transaction with a max fee and a priority fee (type 2).

    ``to`` None creates a contract from ``data``. Source: EIP-1559.
    """

    access_list: AccessList = ()


@dataclass(frozen=True, slots=True)
class BlobTransaction(_FeeMarket):
    """A transaction that pays for blobs (type 3), which are broadcast beside it.

    Only their versioned hashes are signed (32 bytes each; the first byte is the version). The
    broadcaster adds blobs, commitments and proofs. ``to`` None cannot be signed.
    Source: EIP-4844.
    """

    access_list: AccessList
    max_fee_per_blob_gas_wei: int
    blob_versioned_hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class SetCodeTransaction(_FeeMarket):
    """A transaction that delegates accounts to code (type 4).

    ``authorization_list`` holds the signed authorizations. ``to`` None cannot be signed.
    Source: EIP-7702.
    """

    access_list: AccessList
    authorization_list: AuthorizationList


Transaction: TypeAlias = (
    LegacyTransaction
    | AccessListTransaction
    | FeeMarketTransaction
    | BlobTransaction
    | SetCodeTransaction
)
