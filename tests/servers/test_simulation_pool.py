"""The worker pool with real processes: attacks on time, memory, fairness."""

import os
import re
import signal
import time
from collections.abc import Iterator
from functools import partial

import pytest

from sixgate.clocks import boot_ms
from streams.simulators.breaker import BreakerLimits, State
from streams.simulators.example import LANDMARKS, example_genesis
from streams.simulators.genesis import parse_genesis
from streams.simulators.guarded import GuardedSimulator
from streams.simulators.pool import PoolLimits, SimulatorPool
from streams.simulators.revm import Revm
from streams.simulators.simulation import (
    DATA_BYTES_MAX,
    FailureReason,
    Simulation,
    SimulationFailure,
)
from tests.harness.builders.simulation import (
    ALICE,
    BOB,
    CONTRACT,
    DEPLOY_STOP,
    ETHER,
    LOOP_FOREVER,
    call,
    calldata,
    genesis,
)
from tests.harness.pipeline.simulation_pool import (
    DEADLINE_MS,
    ENDLESS_GAS,
    HOSTILE,
    LIMITS,
    LOOP,
    MEMORY_BOMB,
    PATIENCE_S,
    TRANSFER,
    UNHURRIED,
    children,
    code,
    codes,
    once_busy,
    runs,
    wait_until,
)
from tools.local.process import await_frozen


@pytest.fixture
def pool() -> Iterator[SimulatorPool]:
    with SimulatorPool([HOSTILE], UNHURRIED) as pool:
        yield pool


@pytest.fixture
def hasty() -> Iterator[SimulatorPool]:
    """Yield a pool for calls that must time out."""
    with SimulatorPool([HOSTILE], LIMITS) as pool:
        yield pool


def test_answers_come_in_the_order_of_the_calls() -> None:
    chains = [parse_genesis(example_genesis(c, {ALICE: 10 * ETHER})) for c in LANDMARKS]
    calls = [
        call(LANDMARKS[chain_id].usdc, chain_id=chain_id, account=account, data=data)
        for amount in (1, 2, 3)
        for account in ("treasury", "payroll")
        for chain_id in LANDMARKS
        for data in [calldata("Usdc", "transfer(address,uint256)", BOB, amount)]
    ]

    with SimulatorPool(chains, UNHURRIED) as pool:
        answers = pool.run(calls, DEADLINE_MS)

    simulators = {genesis.chain_id: Revm(genesis) for genesis in chains}
    assert answers == [simulators[call.chain_id].simulate(call) for call in calls]
    assert set(codes(answers)) == {"succeeded"}


def test_loading_a_large_genesis_does_not_count_to_a_calls_timeout() -> None:
    funded = {f"0x{number:040x}": ETHER for number in range(10**9, 10**9 + 80_000)}
    start = parse_genesis(example_genesis(1, {ALICE: ETHER, **funded}))
    limits = PoolLimits(timeout_ms=1_000, start_timeout_ms=60_000)

    with SimulatorPool([start], limits) as pool:
        answers = pool.run([TRANSFER], DEADLINE_MS)

    assert codes(answers) == ["succeeded"]


def test_nothing_starts_before_the_first_call(pool: SimulatorPool) -> None:
    assert pool.run([], DEADLINE_MS) == []
    assert code(pool.run([call(BOB, chain_id=137)], DEADLINE_MS)[0]) == "no_simulator"
    assert children() == set()

    pool.run([TRANSFER], DEADLINE_MS)

    assert len(children()) == 1


def test_a_chain_without_genesis_does_not_hurt_the_others(pool: SimulatorPool) -> None:
    answers = pool.run([call(BOB, chain_id=137), TRANSFER], DEADLINE_MS)

    assert codes(answers) == ["no_simulator", "succeeded"]


def test_an_infinite_loop_is_killed_at_its_timeout_and_the_pool_continues(
    hasty: SimulatorPool,
) -> None:
    hasty.run([TRANSFER] * 2, DEADLINE_MS)
    before, started_s = children(), time.monotonic()

    answers = hasty.run([LOOP], DEADLINE_MS)

    assert codes(answers) == ["simulation_timeout"]
    assert isinstance(answers[0], SimulationFailure)
    assert "1000 ms" in answers[0].detail
    assert time.monotonic() - started_s < PATIENCE_S
    assert codes(hasty.run([TRANSFER] * 4, DEADLINE_MS)) == ["succeeded"] * 4
    assert len(children()) == len(before)
    assert children() != before


def test_a_gas_bomb_within_the_blocks_limit_just_runs_out_of_gas() -> None:
    with SimulatorPool([genesis({CONTRACT: LOOP_FOREVER})], UNHURRIED) as pool:
        (answer,) = pool.run([call(CONTRACT)], DEADLINE_MS)

    assert isinstance(answer, Simulation)
    assert answer.reason is FailureReason.OUT_OF_GAS


def test_a_memory_bomb_ends_its_worker_and_nothing_else(pool: SimulatorPool) -> None:
    answers = pool.run([TRANSFER, MEMORY_BOMB, TRANSFER], DEADLINE_MS)

    assert codes(answers) == ["succeeded", "simulation_failed", "succeeded"]
    assert isinstance(answers[1], SimulationFailure)
    assert re.search(r"SIGABRT \(memory allocation of \d+ bytes failed\)", answers[1].detail)
    assert codes(pool.run([TRANSFER], DEADLINE_MS)) == ["succeeded"]


def test_two_mebibytes_of_calldata_are_accepted_and_one_byte_more_is_not() -> None:
    biggest = call(BOB, data=bytes(DATA_BYTES_MAX), gas_limit=60_000_000)
    with SimulatorPool([genesis()], PoolLimits(timeout_ms=5_000)) as pool:
        answers = pool.run([biggest, biggest, TRANSFER], DEADLINE_MS)

    assert codes(answers) == ["succeeded"] * 3
    assert isinstance(answers[0], Simulation)
    assert answers[0].gas_used == 21_000 + 10 * DATA_BYTES_MAX
    with pytest.raises(ValueError, match="at most"):
        call(BOB, data=bytes(DATA_BYTES_MAX + 1))


def test_lack_of_funds_and_a_revert_are_answers_and_not_errors(pool: SimulatorPool) -> None:
    answers = pool.run([call(BOB, value_wei=101 * ETHER), TRANSFER], DEADLINE_MS)

    assert codes(answers) == ["failed", "succeeded"]
    assert isinstance(answers[0], Simulation)
    assert answers[0].reason is FailureReason.INSUFFICIENT_FUNDS


def test_state_does_not_leak_between_simulations(pool: SimulatorPool) -> None:
    all_of_it = call(BOB, value_wei=60 * ETHER)
    create = call(None, data=DEPLOY_STOP)

    answers = pool.run([all_of_it, create] * 5, DEADLINE_MS)

    assert set(codes(answers)) == {"succeeded"}
    assert len(set(answers[::2])) == len(set(answers[1::2])) == 1


def test_a_worker_killed_during_a_call_fails_that_call_only() -> None:
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=1, timeout_ms=10_000)) as pool:
        pool.run([TRANSFER], DEADLINE_MS)
        (worker,) = children()
        with once_busy(worker, partial(os.kill, worker, signal.SIGKILL)):
            answers = pool.run([LOOP, TRANSFER], DEADLINE_MS)

    assert codes(answers) == ["simulation_failed", "succeeded"]
    assert isinstance(answers[0], SimulationFailure)
    assert "SIGKILL" in answers[0].detail


def test_a_worker_that_dies_while_idle_fails_no_call(pool: SimulatorPool) -> None:
    pool.run([TRANSFER] * 2, DEADLINE_MS)
    workers = children()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert wait_until(lambda: not any(map(runs, workers)), PATIENCE_S)

    assert codes(pool.run([TRANSFER] * 2, DEADLINE_MS)) == ["succeeded"] * 2


def test_a_stopped_worker_is_replaced_after_its_timeout() -> None:
    biggest = call(BOB, data=bytes(DATA_BYTES_MAX), gas_limit=ENDLESS_GAS)
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=1, timeout_ms=2_000)) as pool:
        pool.run([TRANSFER], DEADLINE_MS)
        (worker,) = children()
        os.kill(worker, signal.SIGSTOP)
        await_frozen(worker)
        started_s = time.monotonic()
        answers = pool.run(
            [biggest], DEADLINE_MS
        )  # larger than the socket's buffer, so that send blocks, too

        assert time.monotonic() - started_s < PATIENCE_S
        assert code(answers[0]) in {"simulation_timeout", "simulation_failed"}
        assert codes(pool.run([TRANSFER], DEADLINE_MS)) == ["succeeded"]


def test_one_accounts_slow_calls_do_not_starve_another() -> None:
    slow = [LOOP.model_copy(update={"account": "slow"})] * 20
    quick = [TRANSFER.model_copy(update={"account": "quick"})] * 20
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=2, timeout_ms=1_000)) as pool:
        pool.run([TRANSFER] * 2, DEADLINE_MS)
        started_s = time.monotonic()
        answers = pool.run(slow + quick, deadline_ms=5_000)  # half of the slow calls' time

    assert time.monotonic() - started_s < PATIENCE_S
    assert set(codes(answers[:20])) == {"simulation_timeout"}
    assert codes(answers[20:]) == ["succeeded"] * 20


def test_the_deadline_bounds_the_whole_batch() -> None:
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=2, timeout_ms=60_000)) as pool:
        pool.run([TRANSFER] * 2, DEADLINE_MS)
        started_s = time.monotonic()
        answers = pool.run([LOOP] * 50, deadline_ms=400)

    assert time.monotonic() - started_s < PATIENCE_S
    assert codes(answers) == ["simulation_timeout"] * 50


def test_new_geneses_apply_from_the_next_call(pool: SimulatorPool) -> None:
    assert codes(pool.run([call(BOB, value_wei=101 * ETHER)], DEADLINE_MS)) == ["failed"]
    old = children()

    pool.reload([genesis(balances_wei={ALICE: 200 * ETHER})])

    assert children() == set()
    assert codes(pool.run([call(BOB, value_wei=101 * ETHER)], DEADLINE_MS)) == ["succeeded"]
    assert not children() & old


def test_a_circuit_breaker_protects_the_pool_from_endless_calls_of_one_account(
    hasty: SimulatorPool,
) -> None:
    guarded = GuardedSimulator(hasty, boot_ms, BreakerLimits(failed_count_max=2))
    assert codes(guarded.run([LOOP, LOOP], DEADLINE_MS)) == ["simulation_timeout"] * 2
    assert guarded.state is State.HALF_OPEN
    assert codes(guarded.run([TRANSFER], DEADLINE_MS)) == ["succeeded"]


def test_workers_that_cannot_start_are_not_restarted_for_every_call() -> None:
    without_memory = PoolLimits(memory_bytes_max=1 << 20)
    with SimulatorPool([HOSTILE], without_memory) as pool:
        guarded = GuardedSimulator(pool, boot_ms, BreakerLimits(failed_count_max=2, open_ms=10**9))
        assert codes(guarded.run([TRANSFER] * 2, DEADLINE_MS)) == ["simulation_failed"] * 2
        (probed,) = guarded.run([TRANSFER], DEADLINE_MS)
        assert isinstance(probed, SimulationFailure)
        assert "No worker" in probed.detail
        assert guarded.state is State.OPEN
        assert guarded.run([TRANSFER] * 50, DEADLINE_MS) == [probed] * 50
