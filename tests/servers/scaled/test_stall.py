"""A stalled process ends itself with exit code 13; one that makes progress goes on."""

import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from sixgate.cli.exit_codes import ExitCode
from sixgate.services.stall import EXIT_CODE, StallCount, StallLimits

LIMITS = StallLimits(stalled_s_max=0.3, checks=4, check_s=0.05)
WAIT_S_MAX = 60
PROGRAM = """
import asyncio, itertools, time
from sixgate.config.signer import SignerProcessSettings
from sixgate.services.monitor import Monitor
from sixgate.services.process import run_process
from sixgate.services.stall import StallLimits
from streams.kafka.reader import PartitionLag

class Tested:
    role = "tested"

    def __init__(self, settings):
        self.monitor = Monitor(self.role, self.lag)
        self.positions = itertools.count()

    {lag}

    async def run(self, stop):
        print("runs", flush=True)
        {work}

run_process(Tested, SignerProcessSettings(), {limits!r})
"""
WAITS, ADVANCES = "PartitionLag('0', 1, 2)", "PartitionLag('0', next(self.positions), 10 ** 9)"
UNREADABLE = "1 / 0"
UNTIL_STOPPED = "await stop.wait()"


@contextmanager
def running(read: str, work: str) -> Iterator["subprocess.Popen[str]"]:
    lag = f"def lag(self): return [{read}]"
    program = textwrap.dedent(PROGRAM).format(lag=lag, work=work, limits=LIMITS)
    command = [sys.executable, "-c", program]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n", process.communicate()
        try:
            yield process
        finally:
            process.kill()


def end_of(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Return the exit code and the last logged event."""
    _, logged = process.communicate(timeout=WAIT_S_MAX)
    return process.returncode, json.loads(logged.splitlines()[-1])["event"]


def test_a_process_whose_records_wait_ends_itself() -> None:
    with running(WAITS, UNTIL_STOPPED) as process:
        assert end_of(process) == (ExitCode.STALLED, "process.stalled")


def test_a_process_whose_event_loop_is_blocked_ends_itself() -> None:
    with running("", f"time.sleep({WAIT_S_MAX})") as process:
        assert end_of(process) == (ExitCode.STALLED, "process.stalled")


def test_a_process_that_advances_or_cannot_read_its_lag_goes_on() -> None:
    for read in (ADVANCES, UNREADABLE, ""):
        ends = f"await asyncio.sleep({4 * LIMITS.stalled_s_max})"
        with running(read, ends) as process:
            assert end_of(process) == (ExitCode.OK, "process.stopped")


def test_a_process_that_is_stopped_by_a_signal_ends_without_an_error() -> None:
    with running(ADVANCES, UNTIL_STOPPED) as process:
        process.send_signal(signal.SIGTERM)
        assert end_of(process) == (ExitCode.OK, "process.stopped")


def test_only_consecutive_checks_end_a_process() -> None:
    """After a suspension the first check finds a long stall, and the process has time to go on."""
    count = StallCount(LIMITS)
    assert not any(count.reached(1e6) for _ in range(LIMITS.checks - 1))
    assert not count.reached(0)
    assert [count.reached(1e6) for _ in range(LIMITS.checks)] == [False, False, False, True]


def test_the_exit_code_is_the_documented_one() -> None:
    assert EXIT_CODE == ExitCode.STALLED
