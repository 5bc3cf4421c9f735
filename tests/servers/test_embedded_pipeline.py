"""The embedded pipeline on real files, checked independently with other libraries."""

import secrets
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.dsse import INTENT_TYPE
from schemas.topics import SUBMITTED_BYTES_MAX, Topic
from signer.custody.event_signing import Ed25519Signer
from signer.stage.stage import HaltError
from signer.stage.state import StateIntegrityError, StateRollbackError
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.signer_files import FolderError
from streams.log.errors import LogDamagedError
from streams.log.pipeline import PipelineLog
from streams.runners.clock import ClockError
from tests.harness.judge.promises import check, in_folder
from tests.harness.pipeline.embedded import (
    ALLOWED,
    STRANGER,
    ManualTime,
    Pipeline,
    Producer,
    make_folder,
    misplaced,
    open_pipeline,
)
from tests.harness.pipeline.embedded_fixtures import Crash, ends

DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def pipeline(folder: Folder) -> Pipeline:
    return open_pipeline(folder)


def test_an_intent_is_signed_and_leaves_its_whole_trail(
    pipeline: Pipeline, trader: Producer
) -> None:
    pipeline.submit(trader.signed("a"))
    events = pipeline.drain()
    aside = (Topic.VAULT, Topic.AUDIT)
    assert [event.topic for event in events if event.topic not in aside] == [
        Topic.ADMITTED,
        Topic.ALLOWLISTED,
        Topic.CAPPED,
        Topic.WITHIN_LIMIT,
        Topic.CHAIN_CLEARED,
        Topic.DECIDED,
        Topic.OUTCOMES,
        Topic.SIGNED,
    ]
    assert len(check(in_folder(pipeline.folder.path), settled=True).signed) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to": STRANGER}, "recipient_not_allowed"),
        ({"to": None, "data": "0x00"}, "contract_creation"),
        ({"value_wei": 10**18 + 1}, "value_too_high"),
        ({"gas_limit": 10**8, "max_fee_per_gas_wei": 10**9}, "fee_too_high"),
        ({"chain_id": 1}, "chain_unknown"),
        ({"expires_at_ms": 1}, "expired"),
        ({"expires_at_ms": 4_102_444_800_000}, "expiry_too_far"),
        ({"key_path": "keys/nobody"}, "key_unknown"),
        ({"data": "0x00"}, "fee_unknown"),
        ({"gas_limit": 20_999}, "invalid_transaction"),
        ({"max_fee_per_gas_wei": 1, "max_priority_fee_per_gas_wei": 2}, "invalid_transaction"),
    ],
)
def test_a_rule_rejects(
    pipeline: Pipeline, trader: Producer, changes: dict[str, object], reason: str
) -> None:
    pipeline.submit(trader.signed("a", **changes))
    assert ends(pipeline.drain()) == [reason]
    check(in_folder(pipeline.folder.path), settled=True)


def unbounded(producer: Producer, key: str) -> bytes:
    """Return an intent in its agent's envelope that expires in microseconds since 1970."""
    content = producer.intent(key).plain() | {"expires_at_ms": 4_102_444_800_001}
    body = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return producer.signer.sign_envelope(INTENT_TYPE, body).encode()


def test_unauthenticated_input_ends_unattributed(pipeline: Pipeline, trader: Producer) -> None:
    forger = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))
    nobody = Producer(Ed25519Signer("nobody", secrets.token_bytes(32)))
    other_account = Producer(trader.signer, account="other")
    pipeline.submit(
        b"",
        b"{}",
        b"\xff\xfe",
        trader.signed("a") + b" ",
        b"x" * (SUBMITTED_BYTES_MAX + 1),
        forger.signed("b"),
        nobody.signed("c"),
        other_account.signed("d"),
        unbounded(trader, "f"),
    )
    pipeline.submit(trader.signed("e"), key=misplaced(pipeline.folder))
    assert Counter(ends(pipeline.drain())) == {
        "malformed": 6,
        "signature_invalid": 1,
        "agent_unknown": 2,
        "misrouted": 1,
    }


def test_bad_input_between_good_intents_loses_nothing(pipeline: Pipeline, trader: Producer) -> None:
    pipeline.submit(trader.signed("a"), b"garbage", trader.signed("b"))
    assert Counter(ends(pipeline.drain())) == {"signed": 2, "malformed": 1}
    check(in_folder(pipeline.folder.path), settled=True)


def test_a_replay_gets_no_second_outcome_and_a_changed_one_is_rejected(
    pipeline: Pipeline, trader: Producer
) -> None:
    first = trader.signed("a")
    pipeline.submit(first, first, trader.signed("a", value_wei=2))
    assert Counter(ends(pipeline.drain())) == {"signed": 1, "idempotency_conflict": 1}
    again = trader.signed("a", expires_at_ms=trader.now_ms() + 700_000)
    pipeline.submit(first, again)
    assert ends(pipeline.drain()) == []
    assert pipeline.audits() == ["intent.duplicate"] * 2
    check(in_folder(pipeline.folder.path), settled=True)


def test_a_repetition_that_the_gates_would_reject_shares_the_first_outcome(
    pipeline: Pipeline, trader: Producer
) -> None:
    dear = [trader.signed(f"{n}", value_wei=25 * 10**16) for n in range(20)]
    pipeline.submit(*dear)
    assert ends(pipeline.drain()) == ["signed"] * 20
    later_ms = trader.now_ms() + 700_000
    pipeline.submit(trader.signed("0", value_wei=25 * 10**16, expires_at_ms=later_ms))
    events = pipeline.drain()
    (advice,) = [e.value for e in events if e.topic is Topic.DECIDED]
    assert b"daily_limit_exceeded" in advice
    assert ends(events) == []
    assert pipeline.audits() == ["intent.duplicate"]
    check(in_folder(pipeline.folder.path), settled=True)


def test_the_daily_limit_holds_over_many_agents_of_one_account(tmp_path: Path) -> None:
    agents = [Producer(Ed25519Signer(f"agent-{i}", secrets.token_bytes(32))) for i in range(8)]
    pipeline = open_pipeline(make_folder(tmp_path / "data", [agent.signer for agent in agents]))
    for key in range(4):
        pipeline.submit(*(a.signed(str(key), value_wei=25 * 10**16) for a in agents))
    assert Counter(ends(pipeline.drain())) == {"signed": 20, "daily_limit_exceeded": 12}
    check(in_folder(pipeline.folder.path), settled=True)


def test_the_budget_returns_after_24_hours_and_15_seconds_and_not_before(
    folder: Folder, trader: Producer
) -> None:
    time = ManualTime()
    pipeline = open_pipeline(folder, time.clock())
    trader.now_ms = lambda: time.wall
    for key in range(5):
        pipeline.submit(trader.signed(f"{key}", value_wei=10**18))
    assert ends(pipeline.drain()) == ["signed"] * 5
    time.forward(DAY_MS + 15_000)
    pipeline.submit(trader.signed("too-early", value_wei=1))
    assert ends(pipeline.drain()) == ["daily_limit_exceeded"]
    time.forward(1)
    pipeline.submit(trader.signed("in-time", value_wei=10**18))
    assert ends(pipeline.drain()) == ["signed"]
    check(in_folder(folder.path), settled=True)


def crashing(point: int) -> type[PipelineLog]:
    """Return a log that crashes before or after its first or second commit."""

    class CrashingLog(PipelineLog):
        calls = 0

        def commit(self, *values: object) -> None:
            before, after = 2 * CrashingLog.calls, 2 * CrashingLog.calls + 1
            CrashingLog.calls += 1
            if before == point:
                raise Crash
            super().commit(*values)  # type: ignore[arg-type] # passed on as they came
            if after == point:
                raise Crash

    return CrashingLog


@pytest.mark.parametrize("point", range(4), ids=["before 1", "after 1", "before 2", "after 2"])
def test_a_crash_at_any_commit_loses_nothing_and_signs_nothing_twice(
    folder: Folder, trader: Producer, point: int
) -> None:
    open_pipeline(folder).drain()
    pipeline = open_pipeline(folder, log=crashing(point))
    pipeline.submit(*(trader.signed(str(key)) for key in range(3)), trader.signed("0", value_wei=9))
    with pytest.raises(Crash):
        pipeline.drain()
    pipeline.close()
    check(in_folder(folder.path), settled=False)
    again = open_pipeline(folder)
    again.drain()
    again.submit(trader.signed("later"))
    again.drain()
    assert len(check(in_folder(folder.path), settled=True).signed) == 4


def stopped_behind_a_commit(time: ManualTime) -> type[PipelineLog]:
    """Return a log after each of whose commits a day passes."""

    class Stopped(PipelineLog):
        def commit(self, *given: Any) -> None:
            super().commit(*given)
            time.forward(DAY_MS + 1)

    return Stopped


def charge_alone(
    folder: Folder, trader: Producer, time: ManualTime, log: type[PipelineLog], end: type[Exception]
) -> None:
    """Run a pipeline that ends when the whole limit is charged and nothing is signed."""
    clock = time.clock()
    trader.now_ms = lambda: time.wall
    open_pipeline(folder, clock).drain()
    pipeline = open_pipeline(folder, clock, log=log)
    pipeline.submit(*(trader.signed(str(key), value_wei=10**18) for key in range(5)))
    with pytest.raises(end):
        pipeline.drain()
    assert ends(pipeline.committed) == []


def check_charged_anew(folder: Folder, trader: Producer, time: ManualTime) -> None:
    """Check that the next run signs what was charged and counts it from then on."""
    late = open_pipeline(folder, time.clock())
    assert ends(late.committed) == ["signed"] * 5
    late.submit(trader.signed("same-day", value_wei=1))
    assert ends(late.drain()) == ["daily_limit_exceeded"]


def test_an_allocation_signed_a_day_late_counts_from_its_signature(
    folder: Folder, trader: Producer
) -> None:
    time = ManualTime()
    charge_alone(folder, trader, time, crashing(1), Crash)
    time.forward(DAY_MS + 1)
    check_charged_anew(folder, trader, time)


def test_a_process_stopped_for_a_day_between_charge_and_signature_charges_again(
    folder: Folder, trader: Producer
) -> None:
    time = ManualTime()
    charge_alone(folder, trader, time, stopped_behind_a_commit(time), HaltError)
    check_charged_anew(folder, trader, time)


def test_an_inbox_rolled_back_halts(folder: Folder, trader: Producer) -> None:
    pipeline = open_pipeline(folder)
    pipeline.submit(trader.signed("a"))
    pipeline.drain()
    pipeline.close()
    old = folder.inbox.read_bytes()
    pipeline = open_pipeline(folder)
    pipeline.submit(trader.signed("b"))
    pipeline.drain()
    pipeline.close()
    folder.inbox.write_bytes(old)
    with pytest.raises(StateRollbackError, match="inbox"):
        open_pipeline(folder)


@pytest.mark.parametrize("column", ["value", "key"])
def test_a_changed_state_record_halts(folder: Folder, trader: Producer, column: str) -> None:
    pipeline = open_pipeline(folder)
    pipeline.submit(trader.signed("a"))
    pipeline.drain()
    change = {
        "value": "UPDATE state SET value = CAST(value || x'00' AS BLOB) WHERE kind = 'live'",
        "key": "DELETE FROM state WHERE kind = 'live'",
    }[column]
    pipeline.runner.pipeline._db.execute(change)  # noqa: SLF001 - the attacker's hand in the file
    pipeline.close()
    reopened = open_pipeline(folder)
    reopened.submit(trader.signed("b"))
    with pytest.raises(StateIntegrityError):
        reopened.drain()


def test_a_clock_that_jumps_halts_without_consuming(folder: Folder, trader: Producer) -> None:
    time = ManualTime()
    pipeline = open_pipeline(folder, time.clock())
    pipeline.drain()
    trader.now_ms = lambda: time.wall
    pipeline.submit(trader.signed("a", to=ALLOWED))
    for jump_ms in (DAY_MS, -2 * DAY_MS):
        time.wall += jump_ms
        with pytest.raises(ClockError):
            pipeline.runner.step()
    time.wall += DAY_MS
    assert ends(pipeline.drain()) == ["signed"]


@pytest.mark.parametrize("content", [b"not a database at all" * 1000, b""])
def test_a_damaged_or_emptied_file_is_reported_in_one_sentence(
    folder: Folder, content: bytes
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    pipeline.close()
    for leftover in folder.path.glob("inbox.db*"):
        leftover.unlink()
    folder.inbox.write_bytes(content)
    with pytest.raises((LogDamagedError, StateRollbackError), match="restore"):
        open_pipeline(folder)


def test_a_missing_identity_is_reported_in_one_sentence(folder: Folder) -> None:
    folder.signer_identity.unlink()
    with pytest.raises(FolderError, match="restore it"):
        open_pipeline(folder)
