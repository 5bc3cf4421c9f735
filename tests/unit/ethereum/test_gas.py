from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrevm import EVM, TxEnv

from signer.core.ethereum.gas import cost_wei_max, floor_gas, initial_gas, intrinsic_gas
from signer.core.ethereum.transaction import FeeMarketTransaction, Transaction
from tests.harness.builders.ethereum import (
    ACCESS,
    ACCESS_LISTS,
    BLOB_HASH,
    BLOBS,
    EVERY_TYPE,
    LEGACY,
    SET_CODE,
    TRANSFER,
    authorize,
)

PAYER = "0x" + "11" * 20


@pytest.mark.parametrize(
    ("change", "gas"),
    [
        ({}, 21_000),
        ({"data": b"\x00"}, 21_010),  # floor: 10 for a zero byte
        ({"data": b"\x01"}, 21_040),  # floor: 40 for another
        ({"data": b"\x00\x01" * 50}, 23_500),
        ({"access_list": ((bytes(20), ()),)}, 23_400),
        ({"access_list": ((bytes(20), (bytes(32), bytes(32))),)}, 27_200),
        # The access list outweighs the floor of one byte, which is then charged 16.
        ({"data": b"\x01", "access_list": ((bytes(20), ()),)}, 23_416),
        ({"to": None}, 53_000),
        ({"to": None, "data": b"\x00"}, 53_006),  # 4 for the byte, 2 for its word
        ({"to": None, "data": bytes(32)}, 53_130),
        ({"to": None, "data": bytes(33)}, 53_136),
        ({"to": None, "data": b"\x01" * 3_200}, 149_000),  # the floor overtakes creation
    ],
)
def test_intrinsic_gas_of_known_shapes(change: dict[str, object], gas: int) -> None:
    tx = replace(TRANSFER, **change)  # type: ignore[arg-type]  # one of many fields
    assert intrinsic_gas(tx) == gas
    assert intrinsic_gas(tx) == max(initial_gas(tx), floor_gas(tx))


@pytest.mark.parametrize(
    ("tx", "gas"),
    [
        (LEGACY, 21_000),
        (replace(LEGACY, to=None, data=bytes(33)), 53_136),
        (ACCESS, 21_000),
        (replace(ACCESS, access_list=((bytes(20), (bytes(32),)),)), 25_300),
        (BLOBS, 21_000),  # blob gas is no execution gas
        (replace(BLOBS, blob_versioned_hashes=(BLOB_HASH,) * 6), 21_000),
        (SET_CODE, 46_000),
        (replace(SET_CODE, authorization_list=(authorize(),) * 3), 96_000),
        # 25,000 for the entry and 16 a byte, until the floor of 40 a byte overtakes both
        (replace(SET_CODE, data=b"\x01" * 1_000), 62_000),
        (replace(SET_CODE, data=b"\x01" * 2_000), 101_000),
    ],
)
def test_intrinsic_gas_of_each_type(tx: Transaction, gas: int) -> None:
    assert intrinsic_gas(tx) == gas


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_floor_gas_depends_on_calldata_only(tx: Transaction) -> None:
    assert floor_gas(replace(tx, data=b"\x00\x01")) == 21_050


@pytest.mark.parametrize(
    ("tx", "cost_wei"),
    [
        (replace(LEGACY, gas_limit=30_000, gas_price_wei=7), 210_000),
        (replace(ACCESS, gas_limit=30_000, gas_price_wei=7), 210_000),
        (replace(TRANSFER, gas_limit=30_000, max_fee_per_gas_wei=7), 210_000),
        (replace(SET_CODE, gas_limit=30_000, max_fee_per_gas_wei=7), 210_000),
        (
            replace(
                BLOBS,
                gas_limit=30_000,
                max_fee_per_gas_wei=7,
                max_fee_per_blob_gas_wei=11,
                blob_versioned_hashes=(BLOB_HASH,) * 3,
            ),
            210_000 + 3 * 131_072 * 11,
        ),
    ],
)
def test_the_maximum_cost_is_all_gas_and_all_blobs(tx: Transaction, cost_wei: int) -> None:
    assert cost_wei_max(tx) == cost_wei


@settings(deadline=None, max_examples=60)
@given(
    to=st.none() | st.just(bytes.fromhex("22" * 20)),
    data=st.binary(max_size=300),
    access_list=ACCESS_LISTS,
)
def test_initial_gas_is_the_minimum_that_revm_accepts(
    to: bytes | None, data: bytes, access_list: tuple[tuple[bytes, tuple[bytes, ...]], ...]
) -> None:
    tx = replace(TRANSFER, to=to, data=data, access_list=access_list)
    assert _revm_begins(tx, initial_gas(tx))
    assert not _revm_begins(tx, initial_gas(tx) - 1)


def _revm_begins(tx: FeeMarketTransaction, gas: int) -> bool:
    """Run in revm with rules before EIP-7623; the floor is checked by its formula."""
    evm = EVM(spec_id="CANCUN")
    evm.set_balance(PAYER, 10**20)
    entries = [
        ("0x" + address.hex(), [int.from_bytes(key, "big") for key in keys])
        for address, keys in tx.access_list
    ]
    evm.set_tx_env(TxEnv(access_list=entries))
    try:
        if tx.to is None:
            evm.deploy(PAYER, tx.data, gas=gas)
        else:
            evm.message_call(PAYER, "0x" + tx.to.hex(), calldata=tx.data, gas=gas)
    except RuntimeError as error:
        return "CallGasCostMoreThanGasLimit" not in str(error)
    return True
