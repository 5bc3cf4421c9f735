from collections.abc import Mapping

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import UINT256_MAX
from streams.simulators.balances import ZERO_ADDRESS, Log, balance_changes
from streams.simulators.simulation import NATIVE, BalanceChange
from tests.harness.builders.simulation import ALICE, BOB

TOKEN = "0x" + "70" * 20
WETH = "0x" + "77" * 20
TRANSFER = keccak(text="Transfer(address,address,uint256)")
DEPOSIT = keccak(text="Deposit(address,uint256)")
WITHDRAWAL = keccak(text="Withdrawal(address,uint256)")


def _topic(address: str) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def _transfer(sender: str, recipient: str, amount: int, token: str = TOKEN) -> Log:
    return Log(token, (TRANSFER, _topic(sender), _topic(recipient)), amount.to_bytes(32))


def _changes(*logs: Log) -> Mapping[tuple[str, str], int]:
    changes = balance_changes(logs, WETH, {}, {})
    return {(c.address, c.asset): c.delta_base_units for c in changes}


def test_a_transfer_changes_both_balances() -> None:
    assert _changes(_transfer(ALICE, BOB, 5)) == {(ALICE, TOKEN): -5, (BOB, TOKEN): 5}


def test_an_amount_that_is_returned_in_full_is_no_change() -> None:
    assert _changes(_transfer(ALICE, BOB, 5), _transfer(BOB, ALICE, 5)) == {}
    assert _changes(_transfer(ALICE, ALICE, 5)) == {}
    assert _changes(_transfer(ALICE, BOB, 0)) == {}


def test_minting_and_burning_change_no_balance_of_the_zero_address() -> None:
    assert _changes(_transfer(ZERO_ADDRESS, BOB, 5)) == {(BOB, TOKEN): 5}
    assert _changes(_transfer(BOB, ZERO_ADDRESS, 5)) == {(BOB, TOKEN): -5}


@pytest.mark.parametrize(("signature", "delta"), [(DEPOSIT, 7), (WITHDRAWAL, -7)])
def test_wrapping_counts_only_for_the_chains_wrapped_native(signature: bytes, delta: int) -> None:
    topics, data = (signature, _topic(ALICE)), (7).to_bytes(32)

    assert _changes(Log(WETH, topics, data)) == {(ALICE, WETH): delta}
    assert _changes(Log(TOKEN, topics, data)) == {}


@pytest.mark.parametrize(
    "log",
    [
        Log(TOKEN, (), (5).to_bytes(32)),
        Log(TOKEN, (TRANSFER,), (5).to_bytes(32)),
        Log(TOKEN, (TRANSFER, _topic(ALICE)), (5).to_bytes(32)),
        Log(TOKEN, (TRANSFER, _topic(ALICE), _topic(BOB)), b""),
        Log(TOKEN, (TRANSFER, _topic(ALICE), _topic(BOB)), b"\x05"),
        Log(TOKEN, (TRANSFER, _topic(ALICE), _topic(BOB)), bytes(64)),
        Log(TOKEN, (TRANSFER, _topic(ALICE), _topic(BOB), bytes(32)), b""),
        Log(TOKEN, (bytes(32), _topic(ALICE), _topic(BOB)), (5).to_bytes(32)),
    ],
    ids=["anonymous", "bare", "one-holder", "empty", "short", "long", "erc-721", "other-event"],
)
def test_logs_that_resemble_an_erc20_transfer_are_ignored(log: Log) -> None:
    assert _changes(log) == {}


def test_impossible_sums_of_a_token_are_capped() -> None:
    greedy = [_transfer(ZERO_ADDRESS, ALICE, UINT256_MAX)] * 3

    assert _changes(*greedy) == {(ALICE, TOKEN): UINT256_MAX}


def test_native_changes_are_compared_with_the_genesis() -> None:
    before_wei, after_wei = {ALICE: 100, BOB: 1}, {ALICE: 60, BOB: 1, TOKEN: 40}

    assert balance_changes([], WETH, before_wei, after_wei) == (
        BalanceChange(address=TOKEN, asset=NATIVE, delta_base_units=40),
        BalanceChange(address=ALICE, asset=NATIVE, delta_base_units=-40),
    )


HOLDERS = st.sampled_from([ALICE, BOB, TOKEN, WETH])
TRANSFERS = st.lists(
    st.tuples(HOLDERS, HOLDERS, st.integers(0, 1000), st.sampled_from([TOKEN, WETH])), max_size=20
)


@given(TRANSFERS)
def test_sums_agree_with_a_simple_ledger_and_are_sorted(
    transfers: list[tuple[str, str, int, str]],
) -> None:
    books = {(holder, token): 0 for holder in (ALICE, BOB, TOKEN, WETH) for token in (TOKEN, WETH)}
    for sender, recipient, amount, token in transfers:
        books[sender, token] -= amount
        books[recipient, token] += amount

    changes = balance_changes([_transfer(*transfer) for transfer in transfers], WETH, {}, {})

    assert [((c.address, c.asset), c.delta_base_units) for c in changes] == sorted(
        (key, delta) for key, delta in books.items() if delta
    )
