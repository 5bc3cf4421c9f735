"""A simulation pool with hostile contracts, and observation of its worker processes."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

from streams.simulators.batch import Answer
from streams.simulators.pool import PoolLimits
from streams.simulators.simulation import (
    SimulationFailure,
)
from tests.harness.builders.simulation import (
    BOB,
    CONTRACT,
    LOOP_FOREVER,
    OTHER,
    TOUCH_2_GIB_OF_MEMORY,
    call,
    genesis,
)

ENDLESS_GAS = 2**63
LIMITS = PoolLimits(timeout_ms=1_000)
UNHURRIED = PoolLimits(
    timeout_ms=10_000
)  # for tests in which nothing may time out, however busy the machine is
DEADLINE_MS = 30_000
PATIENCE_S = 60  # far above every timeout, far below the time without one
BUSY_TICKS = 10  # of CPU time: more than any transfer takes

HOSTILE = genesis({CONTRACT: LOOP_FOREVER, OTHER: TOUCH_2_GIB_OF_MEMORY}, gas_limit=ENDLESS_GAS)
LOOP = call(CONTRACT, gas_limit=ENDLESS_GAS)
MEMORY_BOMB = call(OTHER, gas_limit=ENDLESS_GAS)
TRANSFER = call(BOB, value_wei=1)


def code(answer: Answer) -> str:
    return answer.code if isinstance(answer, SimulationFailure) else answer.status.value


def codes(answers: Sequence[Answer]) -> list[str]:
    return [code(answer) for answer in answers]


def children(of: int | None = None) -> set[int]:
    """Return the worker processes of this process, or of process ``of``."""
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


def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    ends_s = time.monotonic() + timeout_s
    while time.monotonic() < ends_s:
        if condition():
            return True
        time.sleep(0.01)
    return condition()


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def once_busy(worker: int, work: Callable[[], None]) -> Iterator[None]:
    """Run ``work`` in a thread as soon as an idle worker is busy with a long call."""
    idle = _ticks(worker)

    def watch() -> None:
        if wait_until(lambda: _ticks(worker) >= idle + BUSY_TICKS, PATIENCE_S):
            work()

    watching = Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        watching.join()


def get_busy(workers: Sequence[int]) -> bool:
    """Wait until all of these idle workers are busy with a long call."""
    idle = {worker: _ticks(worker) for worker in workers}
    return wait_until(
        lambda: all(_ticks(worker) >= idle[worker] + BUSY_TICKS for worker in workers), PATIENCE_S
    )


def _ticks(pid: int) -> int:
    """Return the CPU time of a process in ticks, user mode and kernel."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return int(user) + int(system)
