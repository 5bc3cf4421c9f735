"""The worker pool with real processes: attacks on time, memory, processes, fairness."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from streams.simulators.batch import Answer
from streams.simulators.example import LANDMARKS, example_genesis
from streams.simulators.genesis import parse_genesis
from streams.simulators.pool import PoolClosedError, PoolLimits, SimulatorPool
from streams.simulators.revm import Revm
from streams.simulators.simulation import (
    DATA_BYTES_MAX,
    Reason,
    Simulation,
    SimulationError,
)
from tests.support.simulation import (
    ALICE,
    BOB,
    CONTRACT,
    DEPLOY_STOP,
    ETHER,
    LOOP_FOREVER,
    OTHER,
    TOUCH_2_GIB_OF_MEMORY,
    call,
    calldata,
    genesis,
)

ENDLESS_GAS = 2**63
LIMITS = PoolLimits(timeout_ms=300)
DEADLINE_MS = 30_000
PATIENCE_S = 10  # far above every bound, far below what would happen without it

HOSTILE = genesis({CONTRACT: LOOP_FOREVER, OTHER: TOUCH_2_GIB_OF_MEMORY}, gas_limit=ENDLESS_GAS)
LOOP = call(CONTRACT, gas_limit=ENDLESS_GAS)
MEMORY_BOMB = call(OTHER, gas_limit=ENDLESS_GAS)
TRANSFER = call(BOB, value_wei=1)


@pytest.fixture
def pool() -> Iterator[SimulatorPool]:
    with SimulatorPool([HOSTILE], LIMITS) as pool:
        yield pool


def _code(answer: Answer) -> str:
    return answer.code if isinstance(answer, SimulationError) else answer.status.value


def _codes(answers: Sequence[Answer]) -> list[str]:
    return [_code(answer) for answer in answers]


def _children(of: int | None = None) -> set[int]:
    """Return the processes that run a worker for this process (or another)."""
    parent, found = of or os.getpid(), set()
    for folder in Path("/proc").iterdir():
        try:
            status = (folder / "stat").read_text() if folder.name.isdecimal() else ""
            command = (folder / "cmdline").read_bytes() if status else b""
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"streams.simulators.worker" in command:
            state, ppid = status.rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.add(int(folder.name))
    return found


def _wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    ends_s = time.monotonic() + timeout_s
    while time.monotonic() < ends_s:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_answers_come_in_the_order_of_the_calls() -> None:
    chains = [parse_genesis(example_genesis(c, {ALICE: 10 * ETHER})) for c in LANDMARKS]
    calls = [
        call(LANDMARKS[chain_id].usdc, chain_id=chain_id, account=account, data=data)
        for amount in (1, 2, 3)
        for account in ("treasury", "payroll")
        for chain_id in LANDMARKS
        for data in [calldata("Usdc", "transfer(address,uint256)", BOB, amount)]
    ]

    with SimulatorPool(chains) as pool:
        answers = pool.run(calls, DEADLINE_MS)

    simulators = {genesis.chain_id: Revm(genesis) for genesis in chains}
    assert answers == [simulators[call.chain_id].simulate(call) for call in calls]
    assert set(_codes(answers)) == {"succeeded"}


def test_a_large_genesis_is_loaded_before_a_calls_time_begins() -> None:
    funded = {f"0x{number:040x}": ETHER for number in range(10**9, 10**9 + 40_000)}
    start = parse_genesis(example_genesis(1, {ALICE: ETHER, **funded}))

    with SimulatorPool([start], PoolLimits(workers_max=1, timeout_ms=150)) as pool:
        answers = pool.run([TRANSFER], DEADLINE_MS)

    assert _codes(answers) == ["succeeded"]


def test_nothing_starts_before_the_first_call(pool: SimulatorPool) -> None:
    assert pool.run([], DEADLINE_MS) == []
    assert _code(pool.run([call(BOB, chain_id=137)], DEADLINE_MS)[0]) == "no_simulator"
    assert _children() == set()

    pool.run([TRANSFER], DEADLINE_MS)

    assert len(_children()) == 1


def test_a_chain_without_genesis_does_not_hurt_the_others(pool: SimulatorPool) -> None:
    answers = pool.run([call(BOB, chain_id=137), TRANSFER], DEADLINE_MS)

    assert _codes(answers) == ["no_simulator", "succeeded"]


def test_an_infinite_loop_is_killed_at_its_bound_and_the_pool_goes_on(pool: SimulatorPool) -> None:
    pool.run([TRANSFER] * 2, DEADLINE_MS)
    before, started_s = _children(), time.monotonic()

    answers = pool.run([LOOP], DEADLINE_MS)

    assert _codes(answers) == ["simulation_timeout"]
    assert isinstance(answers[0], SimulationError)
    assert answers[0].detail == "It did not end within its time (at most 300 ms)."
    assert time.monotonic() - started_s < PATIENCE_S
    assert _codes(pool.run([TRANSFER] * 4, DEADLINE_MS)) == ["succeeded"] * 4
    assert len(_children()) == len(before)
    assert _children() != before


def test_a_gas_bomb_within_the_blocks_limit_just_runs_out_of_gas() -> None:
    with SimulatorPool([genesis({CONTRACT: LOOP_FOREVER})]) as pool:
        (answer,) = pool.run([call(CONTRACT)], DEADLINE_MS)

    assert isinstance(answer, Simulation)
    assert answer.reason is Reason.OUT_OF_GAS


def test_a_memory_bomb_ends_its_worker_and_nothing_else(pool: SimulatorPool) -> None:
    answers = pool.run([TRANSFER, MEMORY_BOMB, TRANSFER], DEADLINE_MS)

    assert _codes(answers) == ["succeeded", "simulation_failed", "succeeded"]
    assert isinstance(answers[1], SimulationError)
    assert re.search(r"SIGABRT \(memory allocation of \d+ bytes failed\)", answers[1].detail)
    assert _codes(pool.run([TRANSFER], DEADLINE_MS)) == ["succeeded"]


def test_two_mebibytes_of_calldata_pass_the_pipe_and_a_byte_more_is_no_call() -> None:
    biggest = call(BOB, data=bytes(DATA_BYTES_MAX), gas_limit=60_000_000)
    with SimulatorPool([genesis()], PoolLimits(timeout_ms=5_000)) as pool:
        answers = pool.run([biggest, biggest, TRANSFER], DEADLINE_MS)

    assert _codes(answers) == ["succeeded"] * 3
    assert isinstance(answers[0], Simulation)
    assert answers[0].gas_used == 21_000 + 10 * DATA_BYTES_MAX
    with pytest.raises(ValueError, match="at most"):
        call(BOB, data=bytes(DATA_BYTES_MAX + 1))


def test_lack_of_funds_and_a_revert_are_answers_and_not_errors(pool: SimulatorPool) -> None:
    answers = pool.run([call(BOB, value_wei=101 * ETHER), TRANSFER], DEADLINE_MS)

    assert _codes(answers) == ["failed", "succeeded"]
    assert isinstance(answers[0], Simulation)
    assert answers[0].reason is Reason.INSUFFICIENT_FUNDS


def test_state_does_not_leak_between_simulations(pool: SimulatorPool) -> None:
    all_of_it = call(BOB, value_wei=60 * ETHER)
    create = call(None, data=DEPLOY_STOP)

    answers = pool.run([all_of_it, create] * 5, DEADLINE_MS)

    assert set(_codes(answers)) == {"succeeded"}
    assert len(set(answers[::2])) == len(set(answers[1::2])) == 1


def test_a_worker_that_is_killed_in_the_middle_of_a_call_costs_that_call_only() -> None:
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=1, timeout_ms=10_000)) as pool:
        pool.run([TRANSFER], DEADLINE_MS)
        (worker,) = _children()
        killer = threading.Timer(0.2, os.kill, (worker, signal.SIGKILL))
        killer.start()
        answers = pool.run([LOOP, TRANSFER], DEADLINE_MS)
        killer.join()

    assert _codes(answers) == ["simulation_failed", "succeeded"]
    assert isinstance(answers[0], SimulationError)
    assert "SIGKILL" in answers[0].detail


def test_a_worker_that_dies_while_idle_costs_nothing(pool: SimulatorPool) -> None:
    pool.run([TRANSFER] * 2, DEADLINE_MS)
    workers = _children()
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert _wait_until(lambda: not any(map(_runs, workers)), PATIENCE_S)

    assert _codes(pool.run([TRANSFER] * 2, DEADLINE_MS)) == ["succeeded"] * 2


def test_a_worker_that_is_stopped_is_replaced_at_its_bound() -> None:
    biggest = call(BOB, data=bytes(DATA_BYTES_MAX), gas_limit=ENDLESS_GAS)
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=1, timeout_ms=500)) as pool:
        pool.run([TRANSFER], DEADLINE_MS)
        (worker,) = _children()
        os.kill(worker, signal.SIGSTOP)
        started_s = time.monotonic()
        answers = pool.run([biggest], DEADLINE_MS)  # the socket cannot hold it: send blocks, too

        assert time.monotonic() - started_s < PATIENCE_S
        assert _code(answers[0]) in {"simulation_timeout", "simulation_failed"}
        assert _codes(pool.run([TRANSFER], DEADLINE_MS)) == ["succeeded"]


def test_one_accounts_slow_calls_do_not_starve_another() -> None:
    slow = [LOOP.model_copy(update={"account": "slow"})] * 20
    quick = [TRANSFER.model_copy(update={"account": "quick"})] * 20
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=2, timeout_ms=400)) as pool:
        pool.run([TRANSFER] * 2, DEADLINE_MS)
        started_s = time.monotonic()
        answers = pool.run(slow + quick, deadline_ms=2_000)

    assert time.monotonic() - started_s < PATIENCE_S
    assert set(_codes(answers[:20])) == {"simulation_timeout"}
    assert _codes(answers[20:]) == ["succeeded"] * 20


def test_the_deadline_bounds_the_batch_whatever_its_calls_may_take() -> None:
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=2, timeout_ms=60_000)) as pool:
        pool.run([TRANSFER] * 2, DEADLINE_MS)
        started_s = time.monotonic()
        answers = pool.run([LOOP] * 50, deadline_ms=400)

    assert time.monotonic() - started_s < PATIENCE_S
    assert _codes(answers) == ["simulation_timeout"] * 50


def test_new_geneses_hold_from_the_next_call_on(pool: SimulatorPool) -> None:
    assert _codes(pool.run([call(BOB, value_wei=101 * ETHER)], DEADLINE_MS)) == ["failed"]
    old = _children()

    pool.reload([genesis(balances_wei={ALICE: 200 * ETHER})])

    assert _children() == set()
    assert _codes(pool.run([call(BOB, value_wei=101 * ETHER)], DEADLINE_MS)) == ["succeeded"]
    assert not _children() & old


def test_a_closed_pool_says_so_and_leaves_no_process() -> None:
    pool = SimulatorPool([HOSTILE], LIMITS)
    pool.run([TRANSFER] * 2, DEADLINE_MS)

    pool.close()
    pool.close()

    assert _children() == set()
    with pytest.raises(PoolClosedError, match="closed"):
        pool.run([TRANSFER], DEADLINE_MS)
    with pytest.raises(PoolClosedError, match="closed"):
        pool.reload([HOSTILE])


def test_an_interrupt_during_a_run_leaves_no_answer_to_the_wrong_call() -> None:
    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with SimulatorPool([HOSTILE], PoolLimits(timeout_ms=10_000)) as pool:
            pool.run([TRANSFER] * 2, DEADLINE_MS)
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            with pytest.raises(KeyboardInterrupt):
                pool.run([LOOP] * 4, DEADLINE_MS)

            assert _children() == set()
            assert _codes(pool.run([TRANSFER] * 4, DEADLINE_MS)) == ["succeeded"] * 4
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_workers_that_cannot_start_are_an_answer_and_not_a_hang() -> None:
    limits = PoolLimits(memory_bytes_max=16 * 1024 * 1024)  # less than an interpreter needs
    with SimulatorPool([HOSTILE], limits) as pool:
        answers = pool.run([TRANSFER] * 3, DEADLINE_MS)

        assert _codes(answers) == ["simulation_failed"] * 3
        assert isinstance(answers[0], SimulationError)
        assert answers[0].detail.startswith("No worker could be started: ")


def test_an_interpreter_that_is_gone_is_an_answer_too(
    pool: SimulatorPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nonexistent/python")
        answers = pool.run([TRANSFER] * 3, DEADLINE_MS)

    assert _codes(answers) == ["simulation_failed"] * 3
    assert isinstance(answers[0], SimulationError)
    assert "No such file" in answers[0].detail
    assert _codes(pool.run([TRANSFER], DEADLINE_MS)) == ["succeeded"]


def _impostor(folder: Path, behaviour: str) -> str:
    """Write a program that starts like a worker and then does something else."""
    program = folder / "impostor"
    program.write_text(
        f"#!{sys.executable}\n"
        "import socket, sys, time\n"
        "from streams.simulators.frames import frame\n"
        "connection = socket.socket(fileno=int(sys.argv[4]))\n"
        f"{behaviour}\n"
        "time.sleep(60)\n"
    )
    program.chmod(0o700)
    return str(program)


@pytest.mark.parametrize(
    "answer",
    ["frame(b'{}')", "frame(bytes(1000))", "b'\\xff' * 1000"],
    ids=["empty", "zeros", "endless"],
)
def test_a_worker_that_talks_nonsense_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    lies = (
        f"connection.sendall(frame(b'ready')); connection.recv(9999); connection.sendall({answer})"
    )
    monkeypatch.setattr(sys, "executable", _impostor(tmp_path, lies))
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=1, timeout_ms=5_000)) as pool:
        answers = pool.run([TRANSFER], DEADLINE_MS)

    assert _codes(answers) == ["simulation_failed"]


def test_a_worker_that_never_gets_ready_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", _impostor(tmp_path, ""))
    with SimulatorPool([HOSTILE], PoolLimits(start_timeout_ms=300)) as pool:
        answers = pool.run([TRANSFER] * 2, DEADLINE_MS)

    assert _codes(answers) == ["simulation_failed"] * 2
    assert isinstance(answers[0], SimulationError)
    assert "no sign of life" in answers[0].detail


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_workers_die_with_the_process_that_owns_the_pool(busy: bool) -> None:  # noqa: FBT001  # a parameter of pytest's
    program = """
        import sys
        from tests.integration import test_simulation_pool as here
        pool = here.SimulatorPool([here.HOSTILE], here.PoolLimits(timeout_ms=1_500))
        pool.run([here.TRANSFER] * 2, here.DEADLINE_MS)
        print(*here._children(), flush=True)
        if sys.argv[1] == "True":
            pool.run([here.LOOP] * 2, here.DEADLINE_MS)
        sys.stdin.read()
    """
    owner = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(busy)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    with owner:
        assert owner.stdout is not None
        workers = [int(pid) for pid in owner.stdout.readline().split()]
        time.sleep(0.3)
        alive = [_runs(worker) for worker in workers]
        owner.kill()
        owner.wait()

    assert len(workers) == 2
    assert all(alive)
    assert _wait_until(lambda: not any(map(_runs, workers)), PATIENCE_S)


def test_a_worker_inherits_no_secret_and_no_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KMS_TOKEN", "not for foreign byte code")
    with (tmp_path / "vault").open("wb") as file, SimulatorPool([HOSTILE], LIMITS) as pool:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003  # os gives it no name
        pool.run([TRANSFER], DEADLINE_MS)
        (worker,) = _children()
        environment = Path(f"/proc/{worker}/environ").read_bytes()
        group = os.getpgid(worker)
        files = {link.readlink().name for link in Path(f"/proc/{worker}/fd").iterdir()}

    assert group != os.getpgid(0)  # or Ctrl-C in a terminal would end it before its owner
    assert b"KMS_TOKEN" not in environment
    assert "vault" not in files


def test_a_worker_that_remembers_too_many_addresses_is_replaced_unnoticed() -> None:
    # From the number in calldata on, look at the balance of one address after the other
    # (ADD 1, DUP1, BALANCE, POP) until less than 10,000 gas are left.
    look_around = bytes.fromhex("5f35 5b 6001 01 80 31 50 612710 5a 11 6002 57 00")
    calls = [
        call(CONTRACT, data=(number << 32).to_bytes(32), gas_limit=2**24) for number in range(50)
    ]

    with SimulatorPool([genesis({CONTRACT: look_around})], PoolLimits(workers_max=1)) as pool:
        pool.run(calls[:1], DEADLINE_MS)
        (first,) = _children()
        answers = pool.run(calls, 60_000)
        (last,) = _children()

    assert _codes(answers) == ["succeeded"] * 50
    assert last != first
