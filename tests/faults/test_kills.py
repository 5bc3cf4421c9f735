"""SIGKILLs of the embedded node at random moments, each followed by an independent check.

Half of the kills come at a random moment after the start, also while the process still loads; the
other half after its first outcome. ``tests/harness/sizes.py`` sets their number.
"""

import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.key_files import create_key_file
from streams.log.sqlite import SqliteLog
from tests.harness.judge.promises import check, in_folder, read
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    ALLOWED,
    KEY_PATH,
    STRANGER,
    Producer,
    make_folder,
)
from tests.harness.sizes import KILLS, SEED, drawn, show

LOADING_MS_MAX, AT_WORK_MS_MAX = 2_300, 800
BURST, BURSTS_MAX = 3, 25
LARGE_WEI, LARGE_PER_BURST = 3 * 10**17, 2  # nine bursts exceed the daily limit of 5 ETH
PAUSE_S = 0.02
LOOK_S = 0.5
WORK_S_MAX, FINISH_S_MAX = 120, 300


def start(folder: Folder, run: int) -> subprocess.Popen[bytes]:
    """Start ``up``, or every third time ``submit``, which runs the pipeline itself."""
    command = [sys.executable, "-m", "sixgate", "--data", str(folder.path)]
    if run % 3 != 2:
        return popen([*command, "up"], b"")
    lines = [form(f"by-command-{run}-{number}") for number in range(BURST)]
    return popen([*command, "submit", "-"], b"".join(lines))


def popen(command: list[str], lines: bytes) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=subprocess.DEVNULL, stderr=pipe)
    assert process.stdin is not None
    process.stdin.write(lines)
    process.stdin.close()
    process.stdin = None
    return process


def form(key: str) -> bytes:
    """Return an intent as a hand-written JSON line."""
    intent = {"agent": "trader", "chain": "base", "to": ALLOWED, "value_wei": "10000000000000000"}
    return orjson.dumps(intent | {"key_path": KEY_PATH, "idempotency_key": key}) + b"\n"


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0), f"it ended by itself: {errors.decode()}"


def submit(inbox: SqliteLog, trader: Producer, burst: int) -> None:
    """Append small and large intents, a forbidden recipient, a replay, a changed one, garbage.

    Two requests are repeated with another expiry, one before and one after it.
    """
    values = [trader.signed(f"{burst}-{number}", value_wei=10**14) for number in range(BURST)]
    values += [
        trader.signed(f"{burst}-large-{n}", value_wei=LARGE_WEI) for n in range(LARGE_PER_BURST)
    ]
    values += [trader.signed(f"{burst}-no", to=STRANGER), values[0], b"garbage %d" % burst]
    values += [trader.signed(f"{burst}-1", value_wei=7)]
    later_ms = trader.now_ms() + 700_000
    again = {"value_wei": LARGE_WEI, "expires_at_ms": later_ms}
    values.insert(0, trader.signed(f"{burst}-large-0", **again))
    values += [trader.signed(f"{burst}-2", value_wei=10**14, expires_at_ms=later_ms)]
    inbox.append([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in values], 0)


def submit_while(alive: Callable[[], bool], inbox: SqliteLog, trader: Producer, first: int) -> int:
    """Submit consecutive bursts, so that the pipeline is busy; return the next burst's number."""
    burst = first
    while alive():
        if burst < first + BURSTS_MAX:
            submit(inbox, trader, burst)
            burst += 1
        time.sleep(PAUSE_S)
    return burst


def until_drawn(what: str, below_ms: int) -> Callable[[], bool]:
    """Return a function that is true until a random moment from now."""
    ends_at_s = time.monotonic() + drawn(what, below_ms) / 1000
    return lambda: time.monotonic() < ends_at_s


def until_at_work(folder: Folder, process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    """Return a function that is true until a process publishes its first outcome."""
    outcomes = in_folder(folder.path)
    before, ends_at_s = len(outcomes(Topic.OUTCOMES)), time.monotonic() + WORK_S_MAX

    def waits() -> bool:
        assert time.monotonic() < ends_at_s, "no outcome was published"
        return process.poll() is None and len(outcomes(Topic.OUTCOMES)) == before

    return waits


def finish(folder: Folder) -> None:
    """Let a last run finish the rest, and stop it as an operator would."""
    process = start(folder, 0)
    ends_at_s = time.monotonic() + FINISH_S_MAX
    while unfinished(folder) and process.poll() is None and time.monotonic() < ends_at_s:
        time.sleep(LOOK_S)
    process.terminate()
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()


def unfinished(folder: Folder) -> bool:
    """Return whether an intent has no outcome or garbage no event yet."""
    found = read(in_folder(folder.path))
    return not found.ended() >= set(found.intents) or not found.strangers_ended()


def verify_ledger(folder: Folder) -> None:
    """Verify the ledger in another process: chDB opens one folder per process."""
    command = [sys.executable, "-m", "sixgate", "--data", str(folder.path), "ledger", "verify"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_no_kill_loses_or_repeats_an_intent_exceeds_the_limit_or_breaks_the_ledger(
    tmp_path: Path,
) -> None:
    seed = secrets.token_bytes(32)
    trader = Producer(Ed25519Signer("trader", seed))
    folder = make_folder(tmp_path / "data", [trader.signer])
    create_key_file(folder.agent_key("trader"), seed)
    inbox = SqliteLog(folder.inbox, folder.trust().partitions)
    bursts = 0
    for run in range(KILLS):
        process = start(folder, run)
        if run % 2:
            bursts = submit_while(until_at_work(folder, process), inbox, trader, bursts)
        moment = until_drawn(f"life-{run}", AT_WORK_MS_MAX if run % 2 else LOADING_MS_MAX)
        bursts = submit_while(moment, inbox, trader, bursts)
        kill(process)
        show(run + 1, KILLS, "killed")
        check(in_folder(folder.path), settled=False)
    submit(
        inbox, trader, bursts
    )  # so the last run has work, and handles signals when it is stopped
    finish(folder)
    verify_ledger(folder)
    found = check(in_folder(folder.path), settled=True)
    appended = [intent for intent in found.intents.values() if intent["idempotency_key"][0] != "b"]
    assert len(appended) == (bursts + 1) * (BURST + LARGE_PER_BURST + 4), f"seed {SEED}"
    assert any(outcome.get("reason") == "daily_limit_exceeded" for outcome in found.outcomes)
    assert any(outcome["type"] == "transaction.signed" for outcome in found.outcomes)
