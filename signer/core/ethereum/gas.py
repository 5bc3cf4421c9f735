"""Intrinsic gas and maximum cost of a transaction, computed before it runs."""

from typing import Final

from signer.core.ethereum.fields import AccessList
from signer.core.ethereum.transaction import (
    AccessListTransaction,
    BlobTransaction,
    LegacyTransaction,
    SetCodeTransaction,
    Transaction,
)

TRANSACTION_GAS: Final = 21_000  # Yellow Paper, G_transaction
CREATION_GAS: Final = 32_000  # EIP-2
ZERO_BYTE_GAS: Final = 4  # EIP-2028
NONZERO_BYTE_GAS: Final = 16  # EIP-2028
ACCESS_ADDRESS_GAS: Final = 2_400  # EIP-2930
ACCESS_STORAGE_KEY_GAS: Final = 1_900  # EIP-2930
INIT_CODE_WORD_GAS: Final = 2  # EIP-3860
FLOOR_ZERO_BYTE_GAS: Final = 10  # EIP-7623, one token
FLOOR_NONZERO_BYTE_GAS: Final = 40  # EIP-7623, four tokens
AUTHORIZATION_GAS: Final = 25_000  # EIP-7702, PER_EMPTY_ACCOUNT_COST
BLOB_GAS: Final = 2**17  # EIP-4844, GAS_PER_BLOB


def cost_wei_max(tx: Transaction) -> int:
    """Return the maximum cost of a transaction without its value, in wei.

    That is its gas limit at the gas price or max fee, and its blob gas at the max blob fee.
    Source: EIP-1559, EIP-4844.
    """
    if isinstance(tx, LegacyTransaction | AccessListTransaction):
        return tx.gas_limit * tx.gas_price_wei
    cost_wei = tx.gas_limit * tx.max_fee_per_gas_wei
    if isinstance(tx, BlobTransaction):
        blobs = len(tx.blob_versioned_hashes)
        cost_wei += blob_wei_max(blobs, tx.max_fee_per_blob_gas_wei)
    return cost_wei


def blob_wei_max(blobs: int, fee_per_blob_gas_wei: int) -> int:
    """Return the maximum cost of ``blobs`` blobs, in wei. Source: EIP-4844."""
    return BLOB_GAS * blobs * fee_per_blob_gas_wei


def intrinsic_gas(tx: Transaction) -> int:
    """Return the lowest valid gas limit of a transaction, in units of gas.

    Chains without the floor of EIP-7623 accept less; a limit that covers it is valid on all.
    """
    return max(initial_gas(tx), floor_gas(tx))


def initial_gas(tx: Transaction) -> int:
    """Return the gas that is charged before the first instruction runs.

    It covers base, calldata, creation with init code, access list and authorizations, not blob gas.
    Source: Yellow Paper 6.2, EIP-2028, EIP-2930, EIP-3860, EIP-7702.
    """
    zero_bytes, nonzero_bytes = _count_bytes(tx.data)
    gas = TRANSACTION_GAS + zero_bytes * ZERO_BYTE_GAS + nonzero_bytes * NONZERO_BYTE_GAS
    gas += _creation_gas(tx)
    if not isinstance(tx, LegacyTransaction):
        gas += _access_list_gas(tx.access_list)
    if isinstance(tx, SetCodeTransaction):
        gas += len(tx.authorization_list) * AUTHORIZATION_GAS
    return gas


def floor_gas(tx: Transaction) -> int:
    """Return the minimum gas that a transaction with this calldata is charged in total.

    Source: EIP-7623.
    """
    zero_bytes, nonzero_bytes = _count_bytes(tx.data)
    calldata = zero_bytes * FLOOR_ZERO_BYTE_GAS + nonzero_bytes * FLOOR_NONZERO_BYTE_GAS
    return TRANSACTION_GAS + calldata


def _count_bytes(data: bytes) -> tuple[int, int]:
    zero_bytes = data.count(0)
    return zero_bytes, len(data) - zero_bytes


def _creation_gas(tx: Transaction) -> int:
    if tx.to is not None:
        return 0
    words = (len(tx.data) + 31) // 32
    return CREATION_GAS + INIT_CODE_WORD_GAS * words


def _access_list_gas(access_list: AccessList) -> int:
    storage_keys = sum(len(keys) for _, keys in access_list)
    return len(access_list) * ACCESS_ADDRESS_GAS + storage_keys * ACCESS_STORAGE_KEY_GAS
