"""Validation: the rules that a transaction or authorization must satisfy before any key is used.

Only a `ValidTransaction` can be signed, and making one checks every rule.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, get_args

from signer.core.errors import InvalidTransactionError
from signer.core.ethereum import finders
from signer.core.ethereum.authorization import Authorization
from signer.core.ethereum.encoding import Encoding, encode
from signer.core.ethereum.fields import UINT64_MAX, UINT256_MAX, access_list, address, recipient
from signer.core.ethereum.finders import (
    MAX_BLOBS,
    MAX_INIT_CODE_BYTES,
    Finder,
    cost_overflow,
    missing,
    outside,
    unencodable,
)
from signer.core.ethereum.transaction import (
    MAX_TRANSACTION_BYTES,
    AccessListTransaction,
    BlobTransaction,
    FeeMarketTransaction,
    LegacyTransaction,
    SetCodeTransaction,
    Transaction,
)


class Rule(NamedTuple):
    """One rule: its code, the finder of the location that breaks it, and the requirement in words.

    ``records`` are the transaction types that it applies to.
    """

    code: str
    find: Finder
    requirement: str
    records: tuple[type, ...]


_UINT64 = "must be 0 to 2^64 - 1"
# EIP-2681 reserves 2^64 - 1: an account at that nonce could never send again.
_NONCE = "must be 0 to 2^64 - 2"
_COST = "must keep the sum of gas, blobs and value within 2^256 - 1 wei"
_GAS_PRICED = (LegacyTransaction, AccessListTransaction)
_FEE_MARKET = (FeeMarketTransaction, BlobTransaction, SetCodeTransaction)
_EVERY = (*_GAS_PRICED, *_FEE_MARKET)
_BLOB = (BlobTransaction,)
_SET_CODE = (SetCodeTransaction,)
_DELEGATION = (Authorization,)


def _uint256(code: str, field: str, records: tuple[type, ...]) -> Rule:
    return Rule(code, outside(field, 0, UINT256_MAX), "must be 0 to 2^256 - 1", records)


AUTHORIZATION_RULES: Final = (
    Rule(
        "authorization_chain_id_out_of_range",
        outside("chain_id", 0, UINT64_MAX),
        _UINT64,
        _DELEGATION,
    ),
    Rule(
        "authorization_address_malformed",
        unencodable("address", address),
        "must be 20 bytes",
        _DELEGATION,
    ),
    Rule(
        "authorization_nonce_out_of_range", outside("nonce", 0, UINT64_MAX - 1), _NONCE, _DELEGATION
    ),
)
RULES: Final = (
    Rule(
        "chain_id_out_of_range", outside("chain_id", 1, UINT64_MAX), "must be 1 to 2^64 - 1", _EVERY
    ),
    Rule("nonce_out_of_range", outside("nonce", 0, UINT64_MAX - 1), _NONCE, _EVERY),
    _uint256("value_out_of_range", "value_wei", _EVERY),
    _uint256("gas_price_out_of_range", "gas_price_wei", _GAS_PRICED),
    _uint256("max_fee_out_of_range", "max_fee_per_gas_wei", _FEE_MARKET),
    _uint256("priority_fee_out_of_range", "max_priority_fee_per_gas_wei", _FEE_MARKET),
    Rule(
        "priority_fee_above_max_fee",
        finders.priority_above_max,
        "must be at most max_fee_per_gas_wei",
        _FEE_MARKET,
    ),
    _uint256("blob_fee_out_of_range", "max_fee_per_blob_gas_wei", _BLOB),
    Rule("gas_limit_out_of_range", outside("gas_limit", 0, UINT64_MAX), _UINT64, _EVERY),
    Rule(
        "recipient_missing",
        missing("to"),
        "must be set in a transaction of type 3 or 4",
        (*_BLOB, *_SET_CODE),
    ),
    Rule(
        "recipient_malformed",
        unencodable("to", recipient),
        "must be 20 bytes, or None to create",
        _EVERY,
    ),
    Rule(
        "access_list_malformed",
        unencodable("access_list", access_list),
        "must be 20 bytes for an address, 32 for a storage key",
        (AccessListTransaction, *_FEE_MARKET),
    ),
    Rule(
        "blob_hashes_missing",
        missing("blob_versioned_hashes"),
        "must name at least one blob",
        _BLOB,
    ),
    Rule(
        "blob_hashes_too_many",
        finders.too_many_blobs,
        f"must name at most {MAX_BLOBS} blobs",
        _BLOB,
    ),
    Rule(
        "blob_hash_malformed",
        finders.malformed_blob_hash,
        "must be 32 bytes that begin with 0x01",
        _BLOB,
    ),
    Rule(
        "authorizations_missing",
        missing("authorization_list"),
        "must hold at least one authorization",
        _SET_CODE,
    ),
    *(
        Rule(code, finders.in_each_authorization(find), requirement, _SET_CODE)
        for code, find, requirement, _ in AUTHORIZATION_RULES
    ),
    Rule(
        "authorization_of_another_chain",
        finders.authorization_of_another_chain,
        "must be chain_id, or 0 for every chain",
        _SET_CODE,
    ),
    Rule("cost_out_of_range", cost_overflow("gas_price_wei"), _COST, _GAS_PRICED),
    Rule("cost_out_of_range", cost_overflow("max_fee_per_gas_wei"), _COST, _FEE_MARKET),
    Rule(
        "init_code_too_large",
        finders.oversized_init_code,
        f"must be at most {MAX_INIT_CODE_BYTES} bytes",
        (*_GAS_PRICED, FeeMarketTransaction),
    ),
    Rule(
        "transaction_too_large",
        finders.oversized,
        f"must keep the signed transaction within {MAX_TRANSACTION_BYTES} bytes",
        _EVERY,
    ),
    Rule(
        "gas_limit_below_intrinsic",
        finders.gas_below_intrinsic,
        "must cover the intrinsic gas",
        _EVERY,
    ),
    # Last, because it is the only expensive rule: it recovers a public key for each entry.
    Rule(
        "authorization_of_nobody",
        finders.unrecoverable_authorization,
        "must be a valid signature with low s",
        _SET_CODE,
    ),
)
_RULES_OF: Final = {
    record: tuple(rule for rule in RULES if record in rule.records)
    for record in get_args(Transaction)
}


@dataclass(frozen=True, slots=True)
class TransactionProblem:
    """Why a transaction is rejected: a stable code, the location, and a sentence with it."""

    code: str
    location: str
    detail: str


@dataclass(frozen=True, slots=True)
class ValidTransaction:
    """A transaction that satisfies every rule, with its encoding; the only one that is signed.

    Creating it raises TransactionEncodingError for a value of a wrong type, and
    InvalidTransactionError for a broken rule.
    """

    transaction: Transaction
    encoding: Encoding = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Check the transaction; nobody can create an instance without these two steps."""
        # 1. The encoders refuse every value of a wrong type, so the rules compare only numbers,
        # bytes and tuples, which nothing can change afterwards.
        encoding = encode(self.transaction)
        # 2.
        problem = first_problem(self.transaction)
        if problem is not None:
            reason = f"breaks {problem.code}: {problem.detail}"
            raise InvalidTransactionError(problem.location, reason)
        object.__setattr__(self, "encoding", encoding)


def first_problem(tx: Transaction) -> TransactionProblem | None:
    """Return the problem of the first broken rule, in the order of `RULES`, or None."""
    return _first(_RULES_OF[type(tx)], tx)


def first_authorization_problem(authorization: Authorization) -> TransactionProblem | None:
    """Return the problem of the first broken rule of `AUTHORIZATION_RULES`, or None.

    Chain id 0 (every chain) passes.
    """
    return _first(AUTHORIZATION_RULES, authorization)


def _first(rules: Iterable[Rule], record: Any) -> TransactionProblem | None:
    for code, find, requirement, _ in rules:
        location = find(record)
        if location is not None:
            return TransactionProblem(code, location, f"{location} {requirement}.")
    return None
