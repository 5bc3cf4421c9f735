from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given, settings

from signer.core.ethereum.authorization import Authorization, SignedAuthorization
from signer.core.ethereum.encoding import encode
from signer.core.ethereum.gas import BLOB_GAS
from signer.core.ethereum.transaction import (
    MAX_TRANSACTION_BYTES,
    AccessListTransaction,
    LegacyTransaction,
    Transaction,
)
from signer.core.ethereum.validation import (
    AUTHORIZATION_RULES,
    RULES,
    first_authorization_problem,
    first_problem,
)
from sixgate.cli.transaction_decoding import decode_of_any_chain
from tests.harness.builders.ethereum import (
    ACCESS,
    BLOB_HASH,
    BLOBS,
    EVERY_TYPE,
    LEGACY,
    SET_CODE,
    SOUND_TRANSACTIONS,
    TRANSFER,
    authorize,
)

GAS_PRICED: tuple[Any, ...] = (LEGACY, ACCESS)
FEE_MARKET: tuple[Any, ...] = (TRANSFER, BLOBS, SET_CODE)
LISTED: tuple[Any, ...] = (ACCESS, *FEE_MARKET)
CREATORS: tuple[Any, ...] = (LEGACY, ACCESS, TRANSFER)
ENTRY = (bytes(20), ())
SIGNED = authorize()
# The fields other than data and lists take at most this, signature included.
OVERHEAD = 288
PRICE, MAX_FEE = "gas_price_wei", "max_fee_per_gas_wei"
PRIORITY, BLOB_FEE = "max_priority_fee_per_gas_wei", "max_fee_per_blob_gas_wei"
HASHES, ENTRIES = "blob_versioned_hashes", "authorization_list"


def _entries(*entries: SignedAuthorization) -> dict[str, Any]:
    return {ENTRIES: entries, "gas_limit": 10**8}


def _terms(**changes: Any) -> dict[str, Any]:
    """Return the list with a second entry that its authority did not sign."""
    changed = replace(SIGNED, authorization=replace(SIGNED.authorization, **changes))
    return _entries(SIGNED, changed)


def _signature(r: bytes, s: bytes, y_parity: int) -> dict[str, Any]:
    return _entries(SIGNED, replace(SIGNED, signature=r + s + bytes([y_parity])))


ONE, R, LOW_S = bytes(31) + b"\x01", SIGNED.signature[:32], SIGNED.signature[32:64]
HIGH_S = bytes.fromhex("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1")
BIG = {"gas_limit": 10**8}
BROKEN: list[tuple[tuple[Any, ...], dict[str, Any], str, str]] = [
    (EVERY_TYPE, {"chain_id": 0}, "chain_id_out_of_range", "chain_id"),
    (EVERY_TYPE, {"chain_id": -1}, "chain_id_out_of_range", "chain_id"),
    (EVERY_TYPE, {"chain_id": 2**64}, "chain_id_out_of_range", "chain_id"),
    (EVERY_TYPE, {"nonce": -1}, "nonce_out_of_range", "nonce"),
    (EVERY_TYPE, {"nonce": 2**64 - 1}, "nonce_out_of_range", "nonce"),
    (EVERY_TYPE, {"value_wei": -1}, "value_out_of_range", "value_wei"),
    (EVERY_TYPE, {"value_wei": 2**256}, "value_out_of_range", "value_wei"),
    (GAS_PRICED, {PRICE: -1}, "gas_price_out_of_range", PRICE),
    (GAS_PRICED, {PRICE: 2**256}, "gas_price_out_of_range", PRICE),
    (FEE_MARKET, {MAX_FEE: -1}, "max_fee_out_of_range", MAX_FEE),
    (FEE_MARKET, {MAX_FEE: 2**256, PRIORITY: 2**256}, "max_fee_out_of_range", MAX_FEE),
    (FEE_MARKET, {PRIORITY: -1}, "priority_fee_out_of_range", PRIORITY),
    (FEE_MARKET, {PRIORITY: 2**256}, "priority_fee_out_of_range", PRIORITY),
    (FEE_MARKET, {PRIORITY: 10**9 + 1}, "priority_fee_above_max_fee", PRIORITY),
    ((BLOBS,), {BLOB_FEE: -1}, "blob_fee_out_of_range", BLOB_FEE),
    ((BLOBS,), {BLOB_FEE: 2**256}, "blob_fee_out_of_range", BLOB_FEE),
    (EVERY_TYPE, {"gas_limit": -1}, "gas_limit_out_of_range", "gas_limit"),
    (EVERY_TYPE, {"gas_limit": 2**64}, "gas_limit_out_of_range", "gas_limit"),
    ((BLOBS, SET_CODE), {"to": None}, "recipient_missing", "to"),
    ((BLOBS, SET_CODE), {"to": b""}, "recipient_missing", "to"),
    (CREATORS, {"to": b""}, "recipient_malformed", "to"),
    (EVERY_TYPE, {"to": bytes(19)}, "recipient_malformed", "to"),
    (EVERY_TYPE, {"to": bytes(32)}, "recipient_malformed", "to"),
    (
        LISTED,
        {"access_list": (ENTRY, (bytes(21), ()))},
        "access_list_malformed",
        "access_list[1].address",
    ),
    (
        LISTED,
        {"access_list": ((bytes(20), (bytes(32), bytes(31))),)},
        "access_list_malformed",
        "access_list[0].storage_keys[1]",
    ),
    ((BLOBS,), {HASHES: ()}, "blob_hashes_missing", HASHES),
    ((BLOBS,), {HASHES: (BLOB_HASH,) * 7}, "blob_hashes_too_many", HASHES),
    ((BLOBS,), {HASHES: (BLOB_HASH, bytes(32))}, "blob_hash_malformed", HASHES + "[1]"),
    ((BLOBS,), {HASHES: (b"\x02" + bytes(31),)}, "blob_hash_malformed", HASHES + "[0]"),
    ((BLOBS,), {HASHES: (b"\x01" + bytes(30),)}, "blob_hash_malformed", HASHES + "[0]"),
    ((BLOBS,), {HASHES: (b"\x01" + bytes(32),)}, "blob_hash_malformed", HASHES + "[0]"),
    ((BLOBS,), {HASHES: (b"",)}, "blob_hash_malformed", HASHES + "[0]"),
    ((SET_CODE,), {ENTRIES: ()}, "authorizations_missing", ENTRIES),
    (
        (SET_CODE,),
        _terms(chain_id=2**64),
        "authorization_chain_id_out_of_range",
        ENTRIES + "[1].chain_id",
    ),
    (
        (SET_CODE,),
        _terms(chain_id=-1),
        "authorization_chain_id_out_of_range",
        ENTRIES + "[1].chain_id",
    ),
    (
        (SET_CODE,),
        _terms(address=bytes(19)),
        "authorization_address_malformed",
        ENTRIES + "[1].address",
    ),
    (
        (SET_CODE,),
        _terms(nonce=2**64 - 1),
        "authorization_nonce_out_of_range",
        ENTRIES + "[1].nonce",
    ),
    ((SET_CODE,), _terms(nonce=-1), "authorization_nonce_out_of_range", ENTRIES + "[1].nonce"),
    ((SET_CODE,), _terms(chain_id=1), "authorization_of_another_chain", ENTRIES + "[1].chain_id"),
    (GAS_PRICED, {"value_wei": 2**256 - 21_000 * 10**9}, "cost_out_of_range", PRICE),
    (GAS_PRICED, {PRICE: 2**255}, "cost_out_of_range", PRICE),
    ((TRANSFER,), {"value_wei": 2**256 - 21_000 * 10**9}, "cost_out_of_range", MAX_FEE),
    (FEE_MARKET, {MAX_FEE: 2**255}, "cost_out_of_range", MAX_FEE),
    ((BLOBS,), {BLOB_FEE: 2**256 // BLOB_GAS}, "cost_out_of_range", MAX_FEE),
    (CREATORS, {"to": None, "data": bytes(49_153)} | BIG, "init_code_too_large", "data"),
    (
        (LEGACY, TRANSFER),
        {"data": bytes(MAX_TRANSACTION_BYTES - OVERHEAD + 1)} | BIG,
        "transaction_too_large",
        "data",
    ),
    (LISTED, {"access_list": (ENTRY,) * 5_000} | BIG, "transaction_too_large", "access_list"),
    ((SET_CODE,), {ENTRIES: (SIGNED,) * 1_300} | BIG, "transaction_too_large", ENTRIES),
    (
        (LEGACY, ACCESS, TRANSFER, BLOBS),
        {"gas_limit": 20_999},
        "gas_limit_below_intrinsic",
        "gas_limit",
    ),
    ((SET_CODE,), {"gas_limit": 45_999}, "gas_limit_below_intrinsic", "gas_limit"),
    (
        (LEGACY,),
        {"data": b"\x01", "gas_limit": 21_039},
        "gas_limit_below_intrinsic",
        "gas_limit",
    ),
    (
        (SET_CODE,),
        _signature(R, LOW_S, 2),
        "authorization_of_nobody",
        ENTRIES + "[1].signature.y_parity",
    ),
    (
        (SET_CODE,),
        _signature(bytes(32), LOW_S, 0),
        "authorization_of_nobody",
        ENTRIES + "[1].signature.r",
    ),
    (
        (SET_CODE,),
        _signature(R, bytes(32), 0),
        "authorization_of_nobody",
        ENTRIES + "[1].signature.s",
    ),
    (
        (SET_CODE,),
        _signature(R, HIGH_S, 0),
        "authorization_of_nobody",
        ENTRIES + "[1].signature.s",
    ),
    # 5^3 + 7 is not a square modulo p, so no signature has r = 5.
    (
        (SET_CODE,),
        _signature(bytes(31) + b"\x05", ONE, 0),
        "authorization_of_nobody",
        ENTRIES + "[1].signature",
    ),
]
BREACHES = [
    pytest.param(replace(tx, **change), code, location, id=f"type {EVERY_TYPE.index(tx)} {code}")
    for types, change, code, location in BROKEN
    for tx in types
]
LAST_INSIDE: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (EVERY_TYPE, {}),
    (CREATORS, {"to": None, "gas_limit": 10**7}),
    ((LEGACY, ACCESS, TRANSFER, BLOBS), {"chain_id": 1}),
    ((LEGACY, ACCESS, TRANSFER, BLOBS), {"chain_id": 2**64 - 1}),
    (EVERY_TYPE, {"nonce": 0}),
    (EVERY_TYPE, {"nonce": 2**64 - 2}),
    (EVERY_TYPE, {"value_wei": 0}),
    ((LEGACY, ACCESS, TRANSFER), {"value_wei": 2**256 - 1 - 21_000 * 10**9}),
    (GAS_PRICED, {PRICE: 0}),
    (FEE_MARKET, {MAX_FEE: 0, PRIORITY: 0}),
    (FEE_MARKET, {PRIORITY: 10**9}),
    (EVERY_TYPE, {"gas_limit": 2**64 - 1}),
    (EVERY_TYPE, {"data": b"\x01", "gas_limit": 46_040}),
    (EVERY_TYPE, {"data": bytes(49_153)} | BIG),
    (CREATORS, {"to": None, "data": bytes(49_152)} | BIG),
    ((LEGACY, TRANSFER), {"data": bytes(MAX_TRANSACTION_BYTES - OVERHEAD)} | BIG),
    (LISTED, {"access_list": (ENTRY, (bytes(20), (bytes(32),)))} | BIG),
    ((BLOBS,), {HASHES: (BLOB_HASH,) * 6}),
    ((BLOBS,), {BLOB_FEE: 0}),
    ((BLOBS,), {BLOB_FEE: 2**238}),
    ((SET_CODE,), _entries(SIGNED, authorize(chain_id=0), authorize(nonce=2**64 - 2))),
]
ACCEPTED = [replace(tx, **change) for types, change in LAST_INSIDE for tx in types]
GREATEST_SIGNATURE = b"\x7f" * 64 + b"\x01"


@pytest.mark.parametrize(("tx", "code", "location"), BREACHES)
def test_each_broken_rule_is_reported_with_its_place(
    tx: Transaction, code: str, location: str
) -> None:
    problem = first_problem(tx)
    assert problem is not None
    assert (problem.code, problem.location) == (code, location)
    assert problem.detail.startswith(location + " must ")


@pytest.mark.parametrize("tx", ACCEPTED)
def test_the_boundary_value_of_each_rule_passes(tx: Transaction) -> None:
    assert first_problem(tx) is None


def test_every_rule_has_a_case_for_each_of_its_types() -> None:
    ruled = {(record, rule.code) for rule in RULES for record in rule.records}
    broken = {(type(tx), code) for types, _, code, _ in BROKEN for tx in types}
    # The limits of data and lists together are one rule, tried on the longest field of some.
    assert {code for _, code in ruled} == {code for _, code in broken}
    assert {pair for pair in ruled - broken if pair[1] != "transaction_too_large"} == set()


def test_every_type_has_rules() -> None:
    for record in get_args(Transaction):
        assert sum(record in rule.records for rule in RULES) >= 10


def test_codes_are_stable() -> None:
    assert [rule.code for rule in RULES] == [
        "chain_id_out_of_range",
        "nonce_out_of_range",
        "value_out_of_range",
        "gas_price_out_of_range",
        "max_fee_out_of_range",
        "priority_fee_out_of_range",
        "priority_fee_above_max_fee",
        "blob_fee_out_of_range",
        "gas_limit_out_of_range",
        "recipient_missing",
        "recipient_malformed",
        "access_list_malformed",
        "blob_hashes_missing",
        "blob_hashes_too_many",
        "blob_hash_malformed",
        "authorizations_missing",
        "authorization_chain_id_out_of_range",
        "authorization_address_malformed",
        "authorization_nonce_out_of_range",
        "authorization_of_another_chain",
        "cost_out_of_range",
        "cost_out_of_range",
        "init_code_too_large",
        "transaction_too_large",
        "gas_limit_below_intrinsic",
        "authorization_of_nobody",
    ]


@pytest.mark.parametrize(
    ("authorization", "code", "location"),
    [
        (Authorization(-1, bytes(20), 0), "authorization_chain_id_out_of_range", "chain_id"),
        (Authorization(2**64, bytes(20), 0), "authorization_chain_id_out_of_range", "chain_id"),
        (Authorization(1, bytes(19), 0), "authorization_address_malformed", "address"),
        (Authorization(1, b"", 0), "authorization_address_malformed", "address"),
        (Authorization(1, bytes(20), -1), "authorization_nonce_out_of_range", "nonce"),
        (Authorization(1, bytes(20), 2**64 - 1), "authorization_nonce_out_of_range", "nonce"),
    ],
)
def test_a_single_authorization_is_checked_by_its_own_rules(
    authorization: Authorization, code: str, location: str
) -> None:
    problem = first_authorization_problem(authorization)
    assert problem is not None
    assert (problem.code, problem.location) == (code, location)
    assert code in {rule.code for rule in AUTHORIZATION_RULES}


@pytest.mark.parametrize("chain_id", [0, 1, 2**64 - 1])
@pytest.mark.parametrize("nonce", [0, 2**64 - 2])
def test_an_authorization_within_the_rules_passes(chain_id: int, nonce: int) -> None:
    assert first_authorization_problem(Authorization(chain_id, bytes(20), nonce)) is None


@pytest.mark.parametrize("tx", ACCEPTED)
def test_a_valid_transaction_encodes_within_the_size_limit(tx: Transaction) -> None:
    assert len(encode(tx).signed(GREATEST_SIGNATURE)) <= MAX_TRANSACTION_BYTES


@settings(deadline=None)
@given(SOUND_TRANSACTIONS)
def test_a_valid_transaction_round_trips(tx: Transaction) -> None:
    assert first_problem(tx) is None
    assert decode_of_any_chain(encode(tx).signed(GREATEST_SIGNATURE)) == (tx, GREATEST_SIGNATURE)


def _widest(tx: Any, **lists: Any) -> Any:
    priced = isinstance(tx, LegacyTransaction | AccessListTransaction)
    fees = {PRICE: 2**191} if priced else {MAX_FEE: 2**191, PRIORITY: 2**191}
    wide: dict[str, Any] = {
        "nonce": 2**64 - 2,
        "gas_limit": 2**64 - 1,
        "value_wei": 2**254,
        "chain_id": 2**64 - 1,
    }
    if tx is BLOBS:
        wide |= {BLOB_FEE: 2**233, HASHES: (BLOB_HASH,) * 6}
    return replace(tx, **wide, **fees, **lists)


KEYS = tuple(bytes(32) for _ in range(60))
WIDE_ENTRY = authorize(chain_id=2**64 - 1, nonce=2**64 - 2)


@pytest.mark.parametrize(
    ("tx", "field", "part"),
    [(tx, "access_list", (bytes(20), KEYS)) for tx in LISTED] + [(SET_CODE, ENTRIES, WIDE_ENTRY)],
)
def test_the_size_bound_is_never_below_the_encoding(tx: Any, field: str, part: object) -> None:
    lists = {ENTRIES: (WIDE_ENTRY,)} if tx is SET_CODE else {}
    lengths = range(50, 70) if field == "access_list" else range(1_150, 1_250, 10)
    fits = [
        longer
        for count in lengths
        for longer in [_widest(tx, **lists | {field: (part,) * count})]
        if first_problem(longer) is None
    ]
    size = len(encode(fits[-1]).signed(GREATEST_SIGNATURE))
    assert 0 < len(fits) < len(lengths)
    assert MAX_TRANSACTION_BYTES * 3 // 4 < size <= MAX_TRANSACTION_BYTES
