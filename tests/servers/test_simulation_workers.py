"""The pool's worker processes: start, inherited state and end."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from streams.simulators.pool import PoolClosedError, PoolLimits, SimulatorPool
from streams.simulators.simulation import (
    SimulationFailure,
)
from tests.harness.builders.simulation import (
    CONTRACT,
    call,
    genesis,
)
from tests.harness.pipeline.simulation_pool import (
    DEADLINE_MS,
    HOSTILE,
    LOOP,
    PATIENCE_S,
    TRANSFER,
    UNHURRIED,
    children,
    codes,
    get_busy,
    once_busy,
    runs,
    wait_until,
)


@pytest.fixture
def pool() -> Iterator[SimulatorPool]:
    with SimulatorPool([HOSTILE], UNHURRIED) as pool:
        yield pool


def test_a_closed_pool_raises_and_leaves_no_process() -> None:
    pool = SimulatorPool([HOSTILE], UNHURRIED)
    pool.run([TRANSFER] * 2, DEADLINE_MS)

    pool.close()
    pool.close()

    assert children() == set()
    with pytest.raises(PoolClosedError, match="closed"):
        pool.run([TRANSFER], DEADLINE_MS)
    with pytest.raises(PoolClosedError, match="closed"):
        pool.reload([HOSTILE])


def test_after_an_interrupt_no_call_gets_the_answer_of_another() -> None:
    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with SimulatorPool([HOSTILE], PoolLimits(timeout_ms=10_000)) as pool:
            pool.run([TRANSFER] * 2, DEADLINE_MS)
            interrupt = partial(os.kill, os.getpid(), signal.SIGUSR1)
            with once_busy(min(children()), interrupt), pytest.raises(KeyboardInterrupt):
                pool.run([LOOP] * 4, DEADLINE_MS)

            assert children() == set()
            assert codes(pool.run([TRANSFER] * 4, DEADLINE_MS)) == ["succeeded"] * 4
    finally:
        signal.signal(signal.SIGUSR1, previous)


def test_workers_that_cannot_start_give_an_error_without_hanging() -> None:
    limits = PoolLimits(memory_bytes_max=16 * 1024 * 1024)  # less memory than an interpreter needs
    with SimulatorPool([HOSTILE], limits) as pool:
        answers = pool.run([TRANSFER] * 3, DEADLINE_MS)

        assert codes(answers) == ["simulation_failed"] * 3
        assert isinstance(answers[0], SimulationFailure)
        assert answers[0].detail.startswith("No worker ")


def test_a_missing_interpreter_gives_an_error(
    pool: SimulatorPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nonexistent/python")
        answers = pool.run([TRANSFER] * 3, DEADLINE_MS)

    assert codes(answers) == ["simulation_failed"] * 3
    assert isinstance(answers[0], SimulationFailure)
    assert "No such file" in answers[0].detail
    assert codes(pool.run([TRANSFER], DEADLINE_MS)) == ["succeeded"]


def _impostor(folder: Path, behaviour: str) -> str:
    """Write a program that starts like a worker and then misbehaves."""
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
def test_malformed_answers_of_a_worker_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    lies = (
        f"connection.sendall(frame(b'ready')); connection.recv(9999); connection.sendall({answer})"
    )
    monkeypatch.setattr(sys, "executable", _impostor(tmp_path, lies))
    with SimulatorPool([HOSTILE], PoolLimits(workers_max=1, timeout_ms=5_000)) as pool:
        answers = pool.run([TRANSFER], DEADLINE_MS)

    assert codes(answers) == ["simulation_failed"]


def test_a_worker_that_never_gets_ready_times_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", _impostor(tmp_path, ""))
    with SimulatorPool([HOSTILE], PoolLimits(start_timeout_ms=300)) as pool:
        answers = pool.run([TRANSFER] * 2, DEADLINE_MS)

    assert codes(answers) == ["simulation_failed"] * 2
    assert isinstance(answers[0], SimulationFailure)
    assert "in time" in answers[0].detail


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_workers_die_with_the_process_that_owns_the_pool(busy: bool) -> None:  # noqa: FBT001  # a parameter of pytest's
    program = """
        import sys
        from streams.simulators.pool import PoolLimits, SimulatorPool
        from tests.harness.pipeline import simulation_pool as here
        pool = SimulatorPool([here.HOSTILE], PoolLimits(timeout_ms=5_000))
        pool.run([here.TRANSFER] * 2, here.DEADLINE_MS)
        print(*here.children(), flush=True)
        if sys.argv[1] == "True":
            print(flush=True)
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
        if busy:
            owner.stdout.readline()
            assert get_busy(workers)
        alive = [runs(worker) for worker in workers]
        owner.kill()
        owner.wait()

    assert len(workers) == 2
    assert all(alive)
    assert wait_until(lambda: not any(map(runs, workers)), PATIENCE_S)


def test_a_worker_inherits_no_secret_and_no_open_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KMS_TOKEN", "not for foreign byte code")
    with (tmp_path / "vault").open("wb") as file, SimulatorPool([HOSTILE], UNHURRIED) as pool:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003  # os gives it no name
        pool.run([TRANSFER], DEADLINE_MS)
        (worker,) = children()
        environment = Path(f"/proc/{worker}/environ").read_bytes()
        group = os.getpgid(worker)
        files = {link.readlink().name for link in Path(f"/proc/{worker}/fd").iterdir()}

    assert group != os.getpgid(0)  # otherwise Ctrl-C in a terminal would end it before its owner
    assert b"KMS_TOKEN" not in environment
    assert "vault" not in files


def test_a_worker_with_too_many_cached_addresses_is_replaced_without_an_error() -> None:
    # From the number in calldata on, look at the balance of one address after the other
    # (ADD 1, DUP1, BALANCE, POP) until less than 10,000 gas are left.
    look_around = bytes.fromhex("5f35 5b 6001 01 80 31 50 612710 5a 11 6002 57 00")
    calls = [
        call(CONTRACT, data=(number << 32).to_bytes(32), gas_limit=2**24) for number in range(50)
    ]

    limits = PoolLimits(workers_max=1, timeout_ms=10_000)
    with SimulatorPool([genesis({CONTRACT: look_around})], limits) as pool:
        pool.run(calls[:1], DEADLINE_MS)
        (first,) = children()
        answers = pool.run(calls, 60_000)
        (last,) = children()

    assert codes(answers) == ["succeeded"] * 50
    assert last != first
