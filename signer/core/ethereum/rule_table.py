"""The rule table of `validation`: what every field of a transaction must satisfy."""

from typing import Final, NamedTuple

from signer.core.ethereum import finders
from signer.core.ethereum.authorization import Authorization
from signer.core.ethereum.fields import UINT64_MAX, UINT256_MAX
from signer.core.ethereum.finders import (
    MAX_BLOBS,
    MAX_INIT_CODE_BYTES,
    Finder,
    cost_overflow,
    missing,
    outside,
)
from signer.core.ethereum.transaction import (
    MAX_TRANSACTION_BYTES,
    AccessListTransaction,
    BlobTransaction,
    FeeMarketTransaction,
    LegacyTransaction,
    SetCodeTransaction,
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
_UINT256 = "must be 0 to 2^256 - 1"
_COST = "must keep the sum of gas, blobs and value within 2^256 - 1 wei"
_GAS_PRICED = (LegacyTransaction, AccessListTransaction)
_FEE_MARKET = (FeeMarketTransaction, BlobTransaction, SetCodeTransaction)
_EVERY = (*_GAS_PRICED, *_FEE_MARKET)
_BLOB = (BlobTransaction,)
_SET_CODE = (SetCodeTransaction,)

AUTHORIZATION_RULES: Final = (
    Rule(
        "authorization_chain_id_out_of_range",
        outside("chain_id", 0, UINT64_MAX),
        _UINT64,
        (Authorization,),
    ),
    Rule(
        "authorization_address_malformed",
        finders.malformed_address,
        "must be 20 bytes",
        (Authorization,),
    ),
    Rule(
        "authorization_nonce_out_of_range",
        outside("nonce", 0, UINT64_MAX - 1),
        _NONCE,
        (Authorization,),
    ),
)
RULES: Final = (
    Rule(
        "chain_id_out_of_range", outside("chain_id", 1, UINT64_MAX), "must be 1 to 2^64 - 1", _EVERY
    ),
    Rule("nonce_out_of_range", outside("nonce", 0, UINT64_MAX - 1), _NONCE, _EVERY),
    Rule("value_out_of_range", outside("value_wei", 0, UINT256_MAX), _UINT256, _EVERY),
    Rule("gas_price_out_of_range", outside("gas_price_wei", 0, UINT256_MAX), _UINT256, _GAS_PRICED),
    Rule(
        "max_fee_out_of_range",
        outside("max_fee_per_gas_wei", 0, UINT256_MAX),
        _UINT256,
        _FEE_MARKET,
    ),
    Rule(
        "priority_fee_out_of_range",
        outside("max_priority_fee_per_gas_wei", 0, UINT256_MAX),
        _UINT256,
        _FEE_MARKET,
    ),
    Rule(
        "priority_fee_above_max_fee",
        finders.priority_above_max,
        "must be at most max_fee_per_gas_wei",
        _FEE_MARKET,
    ),
    Rule(
        "blob_fee_out_of_range",
        outside("max_fee_per_blob_gas_wei", 0, UINT256_MAX),
        _UINT256,
        _BLOB,
    ),
    Rule("gas_limit_out_of_range", outside("gas_limit", 0, UINT64_MAX), _UINT64, _EVERY),
    Rule(
        "recipient_missing",
        missing("to"),
        "must be set in a transaction of type 3 or 4",
        (*_BLOB, *_SET_CODE),
    ),
    Rule(
        "recipient_malformed",
        finders.malformed_recipient,
        "must be 20 bytes, or None to create",
        _EVERY,
    ),
    Rule(
        "access_list_malformed",
        finders.malformed_access_list,
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
