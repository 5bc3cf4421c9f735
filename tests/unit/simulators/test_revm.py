import pytest
import rlp
from eth_utils.crypto import keccak

from streams.simulators.revm import Revm
from streams.simulators.simulation import (
    DATA_BYTES_MAX,
    TRANSACTION_GAS_MAX,
    FailureReason,
    Simulation,
    Status,
    WrongChainError,
)
from tests.harness.builders.simulation import (
    ALICE,
    BOB,
    CLEAR_SLOT,
    CONTRACT,
    COUNT_AND_LOG,
    DEPLOY_STOP,
    ETHER,
    INVALID,
    LOOP_FOREVER,
    NEEDS_GAS_LEFT,
    OTHER,
    REVERT_EMPTY,
    STOP,
    call,
    call_to,
    genesis,
    revert_with,
)


def _run(code: bytes, **fields: object) -> Simulation:
    return Revm(genesis({CONTRACT: code})).simulate(call(CONTRACT, **fields))


def _deltas(simulation: Simulation) -> dict[tuple[str, str], int]:
    return {(c.address, c.asset): c.delta_base_units for c in simulation.balance_changes}


def test_a_transfer_succeeds_in_the_genesis_block() -> None:
    simulation = Revm(genesis()).simulate(call(BOB, value_wei=ETHER))

    assert simulation == Simulation(
        chain_id=1,
        status=Status.SUCCEEDED,
        gas_used=21_000,
        gas_limit=21_000,
        balance_changes=simulation.balance_changes,
        block_number=7,
        block_timestamp_s=1_767_225_600,
        base_fee_wei=1_000_000_000,
    )
    assert _deltas(simulation) == {(ALICE, "native"): -ETHER, (BOB, "native"): ETHER}


def test_a_transfer_to_oneself_changes_nothing() -> None:
    simulation = Revm(genesis()).simulate(call(ALICE, value_wei=ETHER))

    assert (simulation.status, simulation.balance_changes) == (Status.SUCCEEDED, ())


def test_ether_that_a_contract_forwards_is_counted() -> None:
    code = call_to(BOB, value=9) + STOP

    simulation = _run(code, value_wei=10)

    assert _deltas(simulation) == {
        (ALICE, "native"): -10,
        (BOB, "native"): 9,
        (CONTRACT, "native"): 1,
    }


def test_the_address_of_a_new_contract_follows_from_sender_and_nonce() -> None:
    simulation = Revm(genesis()).simulate(call(None, data=DEPLOY_STOP))

    assert simulation.status is Status.SUCCEEDED
    sender_and_nonce = rlp.encode([bytes.fromhex(ALICE[2:]), b""])
    assert simulation.created == "0x" + keccak(sender_and_nonce)[12:].hex()
    # 21000 + 32000 for the creation, 16 and 4 per byte of calldata, 2 for one word of init code,
    # 11 for the instructions (3 + 2 + 3 of memory + 3), 200 for the byte that is stored (EIP-3860).
    nonzero = len(DEPLOY_STOP) - DEPLOY_STOP.count(0)
    expected = 21_000 + 32_000 + 16 * nonzero + 4 * DEPLOY_STOP.count(0) + 2 + 200
    assert expected < simulation.gas_used < expected + 20


@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [
        (REVERT_EMPTY, Status.REVERTED, FailureReason.NO_REASON),
        (revert_with(b"\x12\x34\x56\x78"), Status.REVERTED, FailureReason.CUSTOM_ERROR),
        (INVALID, Status.FAILED, FailureReason.INVALID_OPCODE),
        (b"\x01", Status.FAILED, FailureReason.HALTED),  # ADD on an empty stack
        (b"\x0c", Status.FAILED, FailureReason.INVALID_OPCODE),
        (LOOP_FOREVER, Status.FAILED, FailureReason.OUT_OF_GAS),
    ],
    ids=["revert", "custom", "invalid", "stack", "unknown", "loop"],
)
def test_every_failure_has_its_reason_and_changes_nothing(
    code: bytes, status: Status, reason: FailureReason
) -> None:
    simulation = _run(code, value_wei=5)

    assert (simulation.status, simulation.reason) == (status, reason)
    assert simulation.balance_changes == ()
    assert simulation.gas_limit is None


def test_a_loop_burns_all_the_gas_there_is() -> None:
    assert _run(LOOP_FOREVER).gas_used == TRANSACTION_GAS_MAX
    assert _run(LOOP_FOREVER, gas_limit=50_000).gas_used == 50_000


def test_lack_of_funds_is_not_taken_for_a_revert() -> None:
    simulation = Revm(genesis()).simulate(call(BOB, value_wei=101 * ETHER))

    assert (simulation.status, simulation.reason) == (
        Status.FAILED,
        FailureReason.INSUFFICIENT_FUNDS,
    )
    assert f"holds {100 * ETHER} wei and needs {101 * ETHER}" in simulation.detail
    assert simulation.gas_used == 0


def test_an_address_that_the_genesis_does_not_know_has_no_funds() -> None:
    simulation = Revm(genesis()).simulate(call(ALICE, sender=BOB, value_wei=1))

    assert simulation.reason is FailureReason.INSUFFICIENT_FUNDS


@pytest.mark.parametrize(("spare_wei", "status"), [(0, Status.SUCCEEDED), (-1, Status.FAILED)])
@pytest.mark.parametrize("gas_limit", [None, 21_000])
def test_the_fee_must_be_affordable_to_the_last_wei(
    spare_wei: int, status: Status, gas_limit: int | None
) -> None:
    value_wei, fee_wei = ETHER, 21_000 * 7
    start = genesis(balances_wei={ALICE: value_wei + fee_wei + spare_wei})

    simulation = Revm(start).simulate(
        call(BOB, value_wei=value_wei, max_fee_per_gas_wei=7, gas_limit=gas_limit)
    )

    assert simulation.status is status
    assert simulation.reason is (None if spare_wei == 0 else FailureReason.INSUFFICIENT_FUNDS)


def test_a_contract_that_spends_more_than_it_has_does_not_fail_the_sender() -> None:
    simulation = _run(call_to(BOB, value=9) + STOP)

    assert (simulation.status, simulation.balance_changes) == (Status.SUCCEEDED, ())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"gas_limit": 20_999}, FailureReason.INTRINSIC_GAS),
        ({"gas_limit": 60_000_001}, FailureReason.GAS_LIMIT_ABOVE_BLOCK),
        ({"gas_limit": 2**64 - 1}, FailureReason.GAS_LIMIT_ABOVE_BLOCK),
        ({"data": b"\x01" * DATA_BYTES_MAX}, FailureReason.INTRINSIC_GAS),
        ({"data": bytes(DATA_BYTES_MAX), "gas_limit": 60_000_000}, None),
        ({"data": b"\x01" * 100, "gas_limit": 24_999}, FailureReason.INTRINSIC_GAS),
        ({"data": b"\x01" * 100, "gas_limit": 25_000}, None),
    ],
)
def test_a_transaction_that_no_block_would_include_fails(
    fields: dict[str, object], reason: FailureReason | None
) -> None:
    simulation = Revm(genesis()).simulate(call(BOB, **fields))

    assert simulation.reason is reason


def test_init_code_over_its_limit_is_refused() -> None:
    simulation = Revm(genesis()).simulate(call(None, data=bytes(49_153)))

    assert (simulation.status, simulation.reason) == (
        Status.FAILED,
        FailureReason.TRANSACTION_INVALID,
    )
    assert simulation.detail == "CreateInitCodeSizeLimit"


def test_a_contract_cannot_be_the_sender() -> None:
    simulation = Revm(genesis({CONTRACT: STOP})).simulate(call(BOB, sender=CONTRACT))

    assert simulation.reason is FailureReason.SENDER_HAS_CODE


def test_the_call_of_another_chain_is_refused() -> None:
    with pytest.raises(WrongChainError, match=r"chain 1\b.*chain 8453"):
        Revm(genesis()).simulate(call(BOB, chain_id=8453))


def test_calldata_costs_at_least_its_floor() -> None:
    simulation = Revm(genesis()).simulate(call(BOB, data=b"\x01" * 1_000))

    assert simulation.gas_used == simulation.gas_limit == 21_000 + 40 * 1_000


def test_a_refund_lowers_what_is_used_but_not_the_limit() -> None:
    start = genesis({CONTRACT: CLEAR_SLOT}, storage={CONTRACT: {0: 1}})

    simulation = Revm(start).simulate(call(CONTRACT))

    spent = 21_000 + 2 + 2 + 2_100 + 2_900  # two PUSH0, a cold slot, a slot that changes
    assert simulation.gas_limit == spent
    assert simulation.gas_used == spent - 4_800  # EIP-3529


@pytest.mark.parametrize("storage", [{}, {0: 1}, {0: 1, 1: 2, 2: 3}])
def test_accounts_and_slots_of_the_genesis_start_cold(storage: dict[int, int]) -> None:
    read_slot_1 = bytes.fromhex("6001 54 00")
    start = genesis({CONTRACT: call_to(OTHER) + STOP, OTHER: read_slot_1}, storage={OTHER: storage})
    revm = Revm(start)

    pushes = 4 * 2 + 3 + 3 + 2  # PUSH0 x 4, PUSH1, PUSH20, GAS
    expected = 21_000 + pushes + 2_600 + 3 + 2_100
    for _ in range(3):
        assert revm.simulate(call(CONTRACT)).gas_used == expected


def test_a_limit_under_which_an_inner_call_runs_out_of_gas_does_not_work() -> None:
    # The outer contract ignores whether the inner one succeeds; the inner one sends Bob a wei,
    # and only 63/64 of the gas reach it.
    waste = _burn(rounds=60) + call_to(BOB, value=1) + STOP
    start = genesis({CONTRACT: call_to(OTHER) + STOP, OTHER: waste}, balances_wei={OTHER: 5})
    revm = Revm(start)

    simulation = revm.simulate(call(CONTRACT))
    assert _deltas(simulation) == {(OTHER, "native"): -1, (BOB, "native"): 1}
    assert simulation.gas_limit is not None

    again = revm.simulate(call(CONTRACT, gas_limit=simulation.gas_limit))
    at_what_was_used = revm.simulate(call(CONTRACT, gas_limit=simulation.gas_used))
    assert again.balance_changes == simulation.balance_changes
    assert at_what_was_used.status is Status.SUCCEEDED
    assert at_what_was_used.balance_changes == ()


def _burn(rounds: int) -> bytes:
    """Hash a kilobyte `rounds` times: KECCAK256(0, 1024), POP."""
    return bytes.fromhex("610400 5f 20 50") * rounds


def test_a_contract_that_requires_remaining_gas_gets_it() -> None:
    revm = Revm(genesis({CONTRACT: NEEDS_GAS_LEFT}))

    simulation = revm.simulate(call(CONTRACT))

    assert simulation.gas_limit is not None
    assert simulation.gas_used < 22_000
    assert 121_000 < simulation.gas_limit < 123_000
    assert revm.simulate(call(CONTRACT, gas_limit=simulation.gas_limit)).gas_limit is not None
    assert revm.simulate(call(CONTRACT, gas_limit=121_000)).status is Status.REVERTED


def test_one_simulation_does_not_affect_the_next() -> None:
    revm = Revm(genesis({CONTRACT: COUNT_AND_LOG}, storage={CONTRACT: {0: 7}}))
    first = revm.simulate(call(CONTRACT, value_wei=ETHER))

    revm.simulate(call(None, data=DEPLOY_STOP))
    revm.simulate(call(BOB, value_wei=60 * ETHER))
    revm.simulate(call(BOB, value_wei=101 * ETHER))

    assert revm.simulate(call(BOB, value_wei=60 * ETHER)).status is Status.SUCCEEDED
    assert revm.simulate(call(CONTRACT, value_wei=ETHER)) == first
