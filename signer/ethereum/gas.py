from typing import Final

from signer.ethereum.fields import AccessList
from signer.ethereum.transaction import FeeMarketTransaction

TRANSACTION_GAS: Final = 21_000  # Yellow Paper, G_transaction
CREATION_GAS: Final = 32_000  # EIP-2
ZERO_BYTE_GAS: Final = 4  # EIP-2028
NONZERO_BYTE_GAS: Final = 16  # EIP-2028
ACCESS_ADDRESS_GAS: Final = 2_400  # EIP-2930
ACCESS_STORAGE_KEY_GAS: Final = 1_900  # EIP-2930
INIT_CODE_WORD_GAS: Final = 2  # EIP-3860
FLOOR_ZERO_BYTE_GAS: Final = 10  # EIP-7623, one token
FLOOR_NONZERO_BYTE_GAS: Final = 40  # EIP-7623, four tokens


def intrinsic_gas(tx: FeeMarketTransaction) -> int:
    """Return the least gas limit with which a transaction is valid, in units of gas.

    Chains without the floor of EIP-7623 accept less; a limit that covers it is valid on all.
    """
    return max(initial_gas(tx), floor_gas(tx))


def initial_gas(tx: FeeMarketTransaction) -> int:
    """Return what is charged before the first instruction runs.

    Base, calldata, creation with its init code, access list.
    Source: Yellow Paper 6.2, EIP-2028, EIP-2930, EIP-3860.
    """
    zero_bytes, nonzero_bytes = _count_bytes(tx.data)
    return (
        TRANSACTION_GAS
        + zero_bytes * ZERO_BYTE_GAS
        + nonzero_bytes * NONZERO_BYTE_GAS
        + _creation_gas(tx)
        + _access_list_gas(tx.access_list)
    )


def floor_gas(tx: FeeMarketTransaction) -> int:
    """Return the least that a transaction with this calldata costs in the end.

    Source: EIP-7623.
    """
    zero_bytes, nonzero_bytes = _count_bytes(tx.data)
    calldata = zero_bytes * FLOOR_ZERO_BYTE_GAS + nonzero_bytes * FLOOR_NONZERO_BYTE_GAS
    return TRANSACTION_GAS + calldata


def _count_bytes(data: bytes) -> tuple[int, int]:
    zero_bytes = data.count(0)
    return zero_bytes, len(data) - zero_bytes


def _creation_gas(tx: FeeMarketTransaction) -> int:
    if tx.to is not None:
        return 0
    words = (len(tx.data) + 31) // 32
    return CREATION_GAS + INIT_CODE_WORD_GAS * words


def _access_list_gas(access_list: AccessList) -> int:
    storage_keys = sum(len(keys) for _, keys in access_list)
    return len(access_list) * ACCESS_ADDRESS_GAS + storage_keys * ACCESS_STORAGE_KEY_GAS
