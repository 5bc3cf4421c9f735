from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyrevm import EVM, TxEnv

from signer.ethereum.gas import floor_gas, initial_gas, intrinsic_gas
from signer.ethereum.transaction import FeeMarketTransaction
from tests.support.ethereum import ACCESS_LISTS, TRANSFER

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


@settings(deadline=None, max_examples=60)
@given(
    to=st.none() | st.just(bytes.fromhex("22" * 20)),
    data=st.binary(max_size=300),
    access_list=ACCESS_LISTS,
)
def test_initial_gas_is_the_least_with_which_revm_begins(
    to: bytes | None, data: bytes, access_list: tuple[tuple[bytes, tuple[bytes, ...]], ...]
) -> None:
    tx = replace(TRANSFER, to=to, data=data, access_list=access_list)
    assert _revm_begins(tx, initial_gas(tx))
    assert not _revm_begins(tx, initial_gas(tx) - 1)


def _revm_begins(tx: FeeMarketTransaction, gas: int) -> bool:
    """Run in revm, whose rules here end before EIP-7623: the floor is checked by its formula."""
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
