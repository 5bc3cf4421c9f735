from dataclasses import replace

import pytest
from hypothesis import given, settings

from signer.ethereum.transaction import MAX_TRANSACTION_BYTES, FeeMarketTransaction, signed_bytes
from signer.ethereum.validation import RULES, first_problem
from tests.support.ethereum import TRANSACTIONS, TRANSFER

CREATION = replace(TRANSFER, to=None, gas_limit=10**7)
ENTRY = (bytes(20), ())
# The fields other than data and access list take at most this, signature included.
OVERHEAD = 256

BREACHES = [
    (replace(TRANSFER, chain_id=0), "chain_id_out_of_range", "chain_id"),
    (replace(TRANSFER, chain_id=-1), "chain_id_out_of_range", "chain_id"),
    (replace(TRANSFER, chain_id=2**64), "chain_id_out_of_range", "chain_id"),
    (replace(TRANSFER, nonce=-1), "nonce_out_of_range", "nonce"),
    (replace(TRANSFER, nonce=2**64 - 1), "nonce_out_of_range", "nonce"),
    (replace(TRANSFER, value_wei=-1), "value_out_of_range", "value_wei"),
    (replace(TRANSFER, value_wei=2**256), "value_out_of_range", "value_wei"),
    (replace(TRANSFER, max_fee_per_gas_wei=-1), "max_fee_out_of_range", "max_fee_per_gas_wei"),
    (
        replace(TRANSFER, max_fee_per_gas_wei=2**256, max_priority_fee_per_gas_wei=2**256),
        "max_fee_out_of_range",
        "max_fee_per_gas_wei",
    ),
    (
        replace(TRANSFER, max_priority_fee_per_gas_wei=-1),
        "priority_fee_out_of_range",
        "max_priority_fee_per_gas_wei",
    ),
    (
        replace(TRANSFER, max_priority_fee_per_gas_wei=2**256),
        "priority_fee_out_of_range",
        "max_priority_fee_per_gas_wei",
    ),
    (
        replace(TRANSFER, max_priority_fee_per_gas_wei=TRANSFER.max_fee_per_gas_wei + 1),
        "priority_fee_above_max_fee",
        "max_priority_fee_per_gas_wei",
    ),
    (replace(TRANSFER, gas_limit=-1), "gas_limit_out_of_range", "gas_limit"),
    (replace(TRANSFER, gas_limit=2**64), "gas_limit_out_of_range", "gas_limit"),
    (
        replace(TRANSFER, value_wei=2**256 - 21_000 * 10**9),
        "cost_out_of_range",
        "max_fee_per_gas_wei",
    ),
    (
        replace(TRANSFER, max_fee_per_gas_wei=2**255),
        "cost_out_of_range",
        "max_fee_per_gas_wei",
    ),
    (replace(TRANSFER, to=b""), "recipient_malformed", "to"),
    (replace(TRANSFER, to=bytes(19)), "recipient_malformed", "to"),
    (replace(TRANSFER, to=bytes(32)), "recipient_malformed", "to"),
    (
        replace(TRANSFER, access_list=(ENTRY, (bytes(21), ()))),
        "access_list_malformed",
        "access_list[1].address",
    ),
    (
        replace(TRANSFER, access_list=((bytes(20), (bytes(32), bytes(31))),)),
        "access_list_malformed",
        "access_list[0].storage_keys[1]",
    ),
    (replace(CREATION, data=bytes(49_153)), "init_code_too_large", "data"),
    (
        replace(TRANSFER, data=bytes(MAX_TRANSACTION_BYTES - OVERHEAD + 1), gas_limit=10**8),
        "transaction_too_large",
        "data",
    ),
    (
        replace(TRANSFER, access_list=(ENTRY,) * 5_000, gas_limit=10**8),
        "transaction_too_large",
        "access_list",
    ),
    (replace(TRANSFER, gas_limit=20_999), "gas_limit_below_intrinsic", "gas_limit"),
    (replace(TRANSFER, data=b"\x01", gas_limit=21_039), "gas_limit_below_intrinsic", "gas_limit"),
]

ACCEPTED = [
    TRANSFER,
    CREATION,
    replace(TRANSFER, chain_id=1),
    replace(TRANSFER, chain_id=2**64 - 1),
    replace(TRANSFER, nonce=0),
    replace(TRANSFER, nonce=2**64 - 2),
    replace(TRANSFER, value_wei=0),
    replace(TRANSFER, value_wei=2**256 - 1 - 21_000 * 10**9),
    replace(TRANSFER, max_fee_per_gas_wei=0, max_priority_fee_per_gas_wei=0),
    replace(TRANSFER, max_priority_fee_per_gas_wei=TRANSFER.max_fee_per_gas_wei),
    replace(TRANSFER, gas_limit=2**64 - 1),
    replace(TRANSFER, data=b"\x01", gas_limit=21_040),
    replace(TRANSFER, data=bytes(49_153), gas_limit=10**8),
    replace(CREATION, data=bytes(49_152)),
    replace(TRANSFER, data=bytes(MAX_TRANSACTION_BYTES - OVERHEAD), gas_limit=10**8),
    replace(TRANSFER, access_list=(ENTRY, (bytes(20), (bytes(32),))), gas_limit=30_000),
]
GREATEST_SIGNATURE = b"\x7f" * 64 + b"\x01"


@pytest.mark.parametrize(("tx", "code", "place"), BREACHES)
def test_each_broken_rule_is_named_with_its_place(
    tx: FeeMarketTransaction, code: str, place: str
) -> None:
    problem = first_problem(tx)
    assert problem is not None
    assert (problem.code, problem.place) == (code, place)
    assert problem.detail.startswith(place + " must ")


@pytest.mark.parametrize("tx", ACCEPTED)
def test_the_last_value_inside_each_rule_passes(tx: FeeMarketTransaction) -> None:
    assert first_problem(tx) is None


def test_every_rule_has_a_breach() -> None:
    assert {rule.code for rule in RULES} == {code for _, code, _ in BREACHES}


def test_codes_are_stable_and_distinct() -> None:
    assert [rule.code for rule in RULES] == [
        "chain_id_out_of_range",
        "nonce_out_of_range",
        "value_out_of_range",
        "max_fee_out_of_range",
        "priority_fee_out_of_range",
        "priority_fee_above_max_fee",
        "gas_limit_out_of_range",
        "cost_out_of_range",
        "recipient_malformed",
        "access_list_malformed",
        "init_code_too_large",
        "transaction_too_large",
        "gas_limit_below_intrinsic",
    ]


@pytest.mark.parametrize("tx", ACCEPTED)
def test_what_passes_can_be_written_within_the_size_limit(tx: FeeMarketTransaction) -> None:
    assert len(signed_bytes(tx, GREATEST_SIGNATURE)) <= MAX_TRANSACTION_BYTES


@settings(deadline=None)
@given(TRANSACTIONS)
def test_what_passes_can_always_be_written(tx: FeeMarketTransaction) -> None:
    if first_problem(tx) is None:
        signed_bytes(tx, GREATEST_SIGNATURE)


def test_the_size_bound_is_never_below_the_encoding() -> None:
    keys = tuple(bytes(32) for _ in range(60))
    widest = replace(
        TRANSFER,
        chain_id=2**64 - 1,
        nonce=2**64 - 2,
        max_priority_fee_per_gas_wei=2**191,
        max_fee_per_gas_wei=2**191,
        gas_limit=2**64 - 1,
        value_wei=2**255 - 1,
    )
    at_limit = max(
        (replace(widest, access_list=((bytes(20), keys),) * count) for count in range(50, 70)),
        key=lambda tx: (first_problem(tx) is None, len(tx.access_list)),
    )
    assert first_problem(at_limit) is None
    size = len(signed_bytes(at_limit, GREATEST_SIGNATURE))
    assert MAX_TRANSACTION_BYTES - 3_000 < size <= MAX_TRANSACTION_BYTES
