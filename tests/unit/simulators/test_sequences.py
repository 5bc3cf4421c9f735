"""Calls that run one after the other on one state, and balances before a call."""

import pytest
import rlp
from eth_utils.crypto import keccak
from pydantic import ValidationError

from streams.simulators.example import LANDMARKS, example_genesis
from streams.simulators.genesis import parse_genesis
from streams.simulators.revm import Revm
from streams.simulators.simulation import (
    CALLS_BEFORE_MAX,
    Call,
    Simulation,
    Status,
    WrongChainError,
)
from tests.harness.builders.simulation import (
    ALICE,
    BOB,
    CONTRACT,
    COUNT_AND_LOG,
    DEPLOY_STOP,
    ETHER,
    REVERT_EMPTY,
    STOP,
    call,
    calldata,
    genesis,
)

# if TLOAD(0) REVERT, else TSTORE(0, 1)
ONCE_PER_TRANSACTION = bytes.fromhex("5f 5c 600b 57 6001 5f 5d 00 00 5b 5f5ffd")


def before(simulation: Simulation) -> dict[tuple[str, str], int | None]:
    return {(c.address, c.asset): c.before_base_units for c in simulation.balance_changes}


def test_later_call_sees_what_earlier_calls_changed() -> None:
    simulator = Revm(genesis())
    funded = call(BOB, value_wei=2 * ETHER)
    spent = call(ALICE, sender=BOB, value_wei=ETHER)

    alone = simulator.simulate(spent)
    after = simulator.simulate(spent.model_copy(update={"after": (funded,)}))

    assert (alone.status, after.status) == (Status.FAILED, Status.SUCCEEDED)
    assert simulator.simulate(spent) == alone


def test_gas_is_that_of_a_chain_in_the_earlier_state() -> None:
    count = call(CONTRACT)
    first = Revm(genesis({CONTRACT: COUNT_AND_LOG}))
    second = Revm(genesis({CONTRACT: COUNT_AND_LOG}, storage={CONTRACT: {0: 1}}))

    in_sequence = first.simulate(call(CONTRACT, after=(count,)))

    assert in_sequence == second.simulate(count)
    assert first.simulate(call(CONTRACT, after=(count,) * 3)).gas_used == in_sequence.gas_used
    assert in_sequence.gas_used != first.simulate(count).gas_used


@pytest.mark.parametrize(
    "unsuccessful",
    [
        call(CONTRACT, value_wei=ETHER),
        call(BOB, value_wei=1000 * ETHER),
        call(BOB, value_wei=ETHER, gas_limit=20_000),
    ],
)
def test_earlier_call_that_does_not_succeed_changes_nothing(unsuccessful: Call) -> None:
    simulator = Revm(genesis({CONTRACT: REVERT_EMPTY}))
    asked = call(BOB, value_wei=ETHER, with_balances=True)

    assert simulator.simulate(asked.model_copy(update={"after": (unsuccessful,)})) == (
        simulator.simulate(asked)
    )


def test_new_contract_can_be_called_later() -> None:
    simulator = Revm(genesis())
    # PUSH14 with the code below, MSTORE, RETURN 14 bytes: the code reverts without call value
    runtime = bytes.fromhex("34 6007 57 5f5ffd 5b 00").ljust(14, b"\x00")
    deploy = call(None, data=b"\x6d" + runtime + bytes.fromhex("5f 52 600e 6012 f3"))
    created = simulator.simulate(deploy).created

    called = simulator.simulate(call(created, after=(deploy,)))
    paid = simulator.simulate(call(created, value_wei=1, after=(deploy,)))

    assert (called.status, paid.status) == (Status.REVERTED, Status.SUCCEEDED)
    assert simulator.simulate(call(created)).status is Status.SUCCEEDED  # nothing is there


@pytest.mark.parametrize("earlier", [call(BOB), call(None, data=DEPLOY_STOP), call(CONTRACT)])
def test_every_executed_call_uses_a_nonce(earlier: Call) -> None:
    simulator = Revm(genesis({CONTRACT: REVERT_EMPTY}))
    deploy = call(None, data=DEPLOY_STOP)

    first = simulator.simulate(deploy).created
    second = simulator.simulate(deploy.model_copy(update={"after": (earlier,)})).created

    rlp_of_nonce = [bytes.fromhex(ALICE[2:]), 1]
    assert first != second
    assert second == "0x" + keccak(rlp.encode(rlp_of_nonce))[12:].hex()


def test_contract_that_destroys_itself_at_creation_is_gone_later() -> None:
    simulator = Revm(genesis())
    # SSTORE(0, 1), SELFDESTRUCT to Bob
    deploy = call(None, value_wei=5, data=bytes.fromhex(f"6001 5f 55 73{BOB[2:]} ff"))
    created = simulator.simulate(deploy).created

    sent = simulator.simulate(call(created, value_wei=1, with_balances=True, after=(deploy,)))

    assert created is not None
    assert before(sent)[created, "native"] == 0


def test_transient_storage_ends_with_its_transaction() -> None:
    simulator = Revm(genesis({CONTRACT: ONCE_PER_TRANSACTION}))
    once = call(CONTRACT)

    again = simulator.simulate(call(CONTRACT, after=(once, once)))

    assert simulator.simulate(once).status is Status.SUCCEEDED
    assert again.status is Status.SUCCEEDED


def test_call_after_one_of_another_chain_is_refused() -> None:
    with pytest.raises(WrongChainError):
        Revm(genesis()).simulate(call(BOB, after=(call(BOB, chain_id=2),)))


def test_number_of_earlier_calls_is_limited() -> None:
    one = call(BOB)
    with pytest.raises(ValidationError):
        call(BOB, after=(one,) * (CALLS_BEFORE_MAX + 1))


def test_balances_before_are_those_after_the_earlier_calls() -> None:
    simulator = Revm(genesis())
    sent = call(BOB, value_wei=ETHER, with_balances=True)

    first = simulator.simulate(sent)
    second = simulator.simulate(sent.model_copy(update={"after": (sent,)}))

    assert before(first) == {(ALICE, "native"): 100 * ETHER, (BOB, "native"): 0}
    assert before(second) == {(ALICE, "native"): 99 * ETHER, (BOB, "native"): ETHER}


def test_balance_of_a_token_is_what_the_token_states() -> None:
    weth = LANDMARKS[1].weth
    simulator = Revm(parse_genesis(example_genesis(1, {ALICE: 10 * ETHER})))
    wrapped = call(weth, value_wei=3 * ETHER, data=calldata("Weth", "deposit()"))
    transfer = call(
        weth, data=calldata("Weth", "transfer(address,uint256)", BOB, ETHER), after=(wrapped,)
    )

    asked = simulator.simulate(transfer.model_copy(update={"with_balances": True}))

    assert before(asked) == {(ALICE, weth): 3 * ETHER, (BOB, weth): 0}
    assert set(before(simulator.simulate(transfer)).values()) == {None}


def test_token_that_does_not_answer_has_no_balance_before() -> None:
    # LOG3 of EIP-20's Transfer from Alice to Bob, and STOP with no answer to balanceOf
    topic = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    log = bytes.fromhex(f"6001 5f 52 73{BOB[2:]} 73{ALICE[2:]} 7f{topic} 6020 5f a3")
    simulator = Revm(genesis({CONTRACT: log + STOP}))

    simulation = simulator.simulate(call(CONTRACT, with_balances=True))

    assert before(simulation) == {(ALICE, CONTRACT): None, (BOB, CONTRACT): None}
