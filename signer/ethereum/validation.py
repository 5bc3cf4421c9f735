"""What a transaction must satisfy before a key is touched: one row per rule."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from signer.ethereum.address import ADDRESS_BYTES
from signer.ethereum.fields import STORAGE_KEY_BYTES, UINT256_MAX
from signer.ethereum.gas import intrinsic_gas
from signer.ethereum.transaction import MAX_TRANSACTION_BYTES, FeeMarketTransaction

UINT64_MAX: Final = 2**64 - 1
MAX_INIT_CODE_BYTES: Final = 49_152  # EIP-3860
# No encoding is larger: per entry an address and two list headers, per key its one-byte
# header, and for all other fields with the signature less than 256 bytes together.
_ACCESS_ENTRY_BYTES_MAX: Final = 29
_STORAGE_KEY_BYTES_MAX: Final = 33
_OTHER_FIELDS_BYTES_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class TransactionProblem:
    """Say why a transaction is refused: a stable code, the place, and a sentence with both."""

    code: str
    place: str
    detail: str


# Gives the place at fault, or None if the transaction satisfies the rule.
Finder: TypeAlias = Callable[[FeeMarketTransaction], str | None]


class Rule(NamedTuple):
    """One row: the code of the refusal, how to find the place, what that place must satisfy."""

    code: str
    find: Finder
    requirement: str


def first_problem(tx: FeeMarketTransaction) -> TransactionProblem | None:
    """Return the first rule that the transaction breaks, in the order of `RULES`, or None."""
    for code, find, requirement in RULES:
        place = find(tx)
        if place is not None:
            return TransactionProblem(code, place, f"{place} {requirement}.")
    return None


def _outside(field: str, least: int, most: int) -> Finder:
    read = attrgetter(field)

    def find(tx: FeeMarketTransaction) -> str | None:
        return None if least <= read(tx) <= most else field

    return find


def _priority_above_max(tx: FeeMarketTransaction) -> str | None:
    above = tx.max_priority_fee_per_gas_wei > tx.max_fee_per_gas_wei
    return "max_priority_fee_per_gas_wei" if above else None


def _cost_overflow(tx: FeeMarketTransaction) -> str | None:
    cost_wei = tx.gas_limit * tx.max_fee_per_gas_wei + tx.value_wei
    return "max_fee_per_gas_wei" if cost_wei > UINT256_MAX else None


def _malformed_recipient(tx: FeeMarketTransaction) -> str | None:
    return None if tx.to is None or len(tx.to) == ADDRESS_BYTES else "to"


def _malformed_access_list(tx: FeeMarketTransaction) -> str | None:
    for entry, (address, keys) in enumerate(tx.access_list):
        if len(address) != ADDRESS_BYTES:
            return f"access_list[{entry}].address"
        for slot, key in enumerate(keys):
            if len(key) != STORAGE_KEY_BYTES:
                return f"access_list[{entry}].storage_keys[{slot}]"
    return None


def _oversized_init_code(tx: FeeMarketTransaction) -> str | None:
    return "data" if tx.to is None and len(tx.data) > MAX_INIT_CODE_BYTES else None


def _oversized(tx: FeeMarketTransaction) -> str | None:
    access_list_bytes = sum(
        _ACCESS_ENTRY_BYTES_MAX + _STORAGE_KEY_BYTES_MAX * len(keys) for _, keys in tx.access_list
    )
    if len(tx.data) + access_list_bytes + _OTHER_FIELDS_BYTES_MAX <= MAX_TRANSACTION_BYTES:
        return None
    return "data" if len(tx.data) >= access_list_bytes else "access_list"


def _gas_below_intrinsic(tx: FeeMarketTransaction) -> str | None:
    return "gas_limit" if tx.gas_limit < intrinsic_gas(tx) else None


RULES: Final = (
    Rule("chain_id_out_of_range", _outside("chain_id", 1, UINT64_MAX), "must be 1 to 2^64 - 1"),
    # EIP-2681 keeps 2^64 - 1 free: an account at that nonce could never send again.
    Rule("nonce_out_of_range", _outside("nonce", 0, UINT64_MAX - 1), "must be 0 to 2^64 - 2"),
    Rule("value_out_of_range", _outside("value_wei", 0, UINT256_MAX), "must be 0 to 2^256 - 1"),
    Rule(
        "max_fee_out_of_range",
        _outside("max_fee_per_gas_wei", 0, UINT256_MAX),
        "must be 0 to 2^256 - 1",
    ),
    Rule(
        "priority_fee_out_of_range",
        _outside("max_priority_fee_per_gas_wei", 0, UINT256_MAX),
        "must be 0 to 2^256 - 1",
    ),
    Rule("priority_fee_above_max_fee", _priority_above_max, "must be at most max_fee_per_gas_wei"),
    Rule("gas_limit_out_of_range", _outside("gas_limit", 0, UINT64_MAX), "must be 0 to 2^64 - 1"),
    Rule(
        "cost_out_of_range",
        _cost_overflow,
        "must keep gas_limit * max_fee_per_gas_wei + value_wei at most 2^256 - 1",
    ),
    Rule("recipient_malformed", _malformed_recipient, "must be 20 bytes, or None to create"),
    Rule(
        "access_list_malformed",
        _malformed_access_list,
        "must be 20 bytes for an address, 32 for a storage key",
    ),
    Rule(
        "init_code_too_large", _oversized_init_code, f"must be at most {MAX_INIT_CODE_BYTES} bytes"
    ),
    Rule(
        "transaction_too_large",
        _oversized,
        f"must leave the signed transaction within {MAX_TRANSACTION_BYTES} bytes",
    ),
    Rule("gas_limit_below_intrinsic", _gas_below_intrinsic, "must cover the intrinsic gas"),
)
