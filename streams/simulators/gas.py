"""Gas of a transaction: the floor for its calldata, and a search for a sufficient limit."""

from collections.abc import Callable

TRANSACTION_GAS = 21_000
_FLOOR_GAS_PER_TOKEN = 10
_TOKENS_PER_NONZERO_BYTE = 4
_CALL_STIPEND_GAS = 2_300
_TOLERANCE_PER_MILLE = 15


def calldata_floor_gas(data: bytes) -> int:
    """Return the least gas that a transaction with this calldata is charged (EIP-7623).

    pyrevm's EVM is older than this rule, so it is applied separately. The signer has this function
    too, but a worker loads no code of the signer.
    """
    zero_bytes = data.count(0)
    tokens = zero_bytes + (len(data) - zero_bytes) * _TOKENS_PER_NONZERO_BYTE
    return TRANSACTION_GAS + tokens * _FLOOR_GAS_PER_TOKEN


def search_gas_limit(works: Callable[[int], bool], spent: int, high: int) -> int:
    """Return a gas limit that works, from `spent` to `high`, which is known to work.

    The gas that a run spent, before refunds, suffices for almost every transaction. It does not if
    a contract reads its remaining gas, or if an inner call needed more than the 63/64 that a caller
    can pass on (EIP-150). Then search, like go-ethereum's eth_estimateGas, until the answer is at
    most 1.5 % too high.
    """
    if works(spent):
        return spent
    low, one_call_deeper = spent, (spent + _CALL_STIPEND_GAS) * 64 // 63
    if one_call_deeper < high and works(one_call_deeper):
        high = one_call_deeper
    while (high - low) * 1000 > high * _TOLERANCE_PER_MILLE:
        middle = min(2 * low, (low + high) // 2)  # most answers are near the low end
        if works(middle):
            high = middle
        else:
            low = middle
    return high
