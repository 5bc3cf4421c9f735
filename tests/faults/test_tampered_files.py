"""Attacks by someone who writes to a folder's files or runs a second program on it."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.stage.state import StateIntegrityError, StateRollbackError
from sixgate.api.operator.connection import connect
from sixgate.data_folder.folder import Folder, FolderBusyError
from streams.log.sqlite import READ_BYTES_MAX, SqliteLog, number
from tests.harness.judge.promises import check, in_folder
from tests.harness.pipeline.embedded import (
    ACCOUNT,
    ALLOWED,
    STRANGER,
    Producer,
    agent_entry,
    open_pipeline,
)
from tests.harness.pipeline.embedded_fixtures import (
    HOME,
    Crash,
    DiesBeforeSigning,
    ends,
    registry_record,
    run_once,
    submitted,
    write,
)

ROW = "INSERT INTO records VALUES (NULL, ?, ?, ?, ?, ?, ?)"
DELETE_LIVE = "DELETE FROM state WHERE kind = 'live' AND key = (SELECT max(key) FROM state)"
SWAP_LIVE = """
UPDATE state SET value = (SELECT value FROM state s WHERE s.kind = 'live' AND s.key != state.key)
WHERE kind = 'live'
"""
DOUBLE_LIVE = """
INSERT INTO state SELECT randomblob(16), account, kind, key, value, 0, 0 FROM state
WHERE kind = 'live'
"""


@pytest.mark.parametrize(
    "row",
    [
        pytest.param((0, ACCOUNT, "text where bytes belong", 1), id="text value"),
        pytest.param((0, ACCOUNT, 7, 1), id="integer value"),
        pytest.param((0, b"\xff", b"{}", 1), id="blob key"),
        pytest.param((2**53, ACCOUNT, b"{}", 1), id="offset past 2^53"),
        pytest.param((2**63 - 1, ACCOUNT, b"{}", 1), id="last offset of all"),
    ],
)
def test_a_row_of_wrong_types_cannot_be_put_into_the_inbox(
    folder: Folder, trader: Producer, row: tuple[object, ...]
) -> None:
    run_once(folder)
    with pytest.raises(sqlite3.IntegrityError):
        write(folder.inbox, ROW, number(Topic.SUBMITTED), HOME, *row)
    assert run_once(folder, trader.signed("a")) == ["signed"]


def test_a_key_with_invalid_utf8_in_the_inbox_stops_nothing(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    statement = "INSERT INTO records VALUES (NULL, ?, ?, 0, CAST(x'ff' AS TEXT), x'7b7d', 1)"
    write(folder.inbox, statement, number(Topic.SUBMITTED), HOME)
    assert Counter(run_once(folder, trader.signed("a"))) == {"malformed": 1, "signed": 1}


def test_a_time_before_1970_cannot_be_put_into_the_inbox(folder: Folder) -> None:
    run_once(folder)
    with pytest.raises(sqlite3.IntegrityError):
        write(folder.inbox, ROW, number(Topic.SUBMITTED), HOME, 0, ACCOUNT, b"{}", -1)


def test_a_far_offset_in_the_registry_does_not_load_records_twice(folder: Folder) -> None:
    with closing(SqliteLog(folder.inbox, 4)) as log:
        rows = log.end(Topic.REGISTRY, 0)
        write(folder.inbox, ROW, number(Topic.REGISTRY), 0, 5_000, "", b"junk", 1)
        assert len(list(log.scan(Topic.REGISTRY, 0, 5_001))) == rows + 1


def test_state_records_with_changed_keys_halt_instead_of_accepting_a_replay(
    folder: Folder, trader: Producer
) -> None:
    intent = trader.signed("a")
    assert run_once(folder, intent) == ["signed"]
    write(folder.pipeline, "UPDATE state SET place = randomblob(16) WHERE kind = 'live'")
    with pytest.raises(StateIntegrityError, match=r"live record of treasury .*\bkey\b"):
        run_once(folder, intent)
    check(in_folder(folder.path), settled=False)


def test_a_live_record_deleted_while_the_signer_runs_halts_instead_of_accepting_a_replay(
    folder: Folder, trader: Producer
) -> None:
    pipeline, intent = open_pipeline(folder), trader.signed("a")
    pipeline.submit(intent)
    assert ends(pipeline.drain()) == ["signed"]
    write(folder.pipeline, "DELETE FROM state WHERE kind = 'live'")
    pipeline.submit(intent)
    with pytest.raises(StateIntegrityError, match="changed by another program"):
        pipeline.drain()
    check(in_folder(folder.path), settled=False)


def test_an_allocation_whose_hint_was_cleared_halts(folder: Folder, trader: Producer) -> None:
    run_once(folder)
    pipeline = open_pipeline(folder, log=DiesBeforeSigning)
    pipeline.submit(trader.signed("a"))
    with pytest.raises(Crash):
        pipeline.drain()
    pipeline.close()
    write(folder.pipeline, "UPDATE state SET pending = 0")
    run_once(folder)  # no intent names the account, so its state is not loaded
    with pytest.raises(StateIntegrityError, match="is missing"):
        run_once(folder, trader.signed("b"))
    check(in_folder(folder.path), settled=False)


def test_an_accounts_state_rolled_back_before_the_ledger_caught_up_halts(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder, trader.signed("a"))
    with connect(folder.path) as api:
        assert api.head()
    with closing(sqlite3.connect(folder.pipeline)) as db:
        old = db.execute("SELECT * FROM state WHERE kind != 'slot'").fetchall()
    intent = trader.signed("b", value_wei=10**18)
    assert run_once(folder, intent) == ["signed"]  # killed before the ledger's next step
    with closing(sqlite3.connect(folder.pipeline)) as db:
        db.execute("DELETE FROM state WHERE kind != 'slot'")
        db.executemany("INSERT INTO state VALUES (?, ?, ?, ?, ?, ?, ?)", old)
        db.commit()
    with (
        pytest.raises(StateRollbackError, match="outcome 2"),
        connect(folder.path) as api,
    ):
        list(api.submit([submitted(intent)], wait=True))
    check(in_folder(folder.path), settled=False)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM state WHERE kind = 'head'", "treasury .*match .*account record"),
        ("DELETE FROM state WHERE kind = 'slot'", "event in the vault is invalid"),
        (DELETE_LIVE, "treasury .*match .*account record"),
        (SWAP_LIVE, "live record of treasury was changed"),
        (
            "UPDATE state SET account = 'other' WHERE kind = 'live'",
            "treasury .*match .*account record",
        ),
        (DOUBLE_LIVE, r"live record of treasury .*\bkey\b"),
        ("UPDATE state SET value = zeroblob(40)", "slot 0 was changed"),
        ("UPDATE state SET value = x''", "slot 0 was changed"),
    ],
)
def test_state_that_was_cut_swapped_or_doubled_halts(
    folder: Folder, trader: Producer, statement: str, said: str
) -> None:
    run_once(folder, trader.signed("a"), trader.signed("b"))
    write(folder.pipeline, statement)
    with pytest.raises(StateIntegrityError, match=said):
        run_once(folder, trader.signed("a"), trader.signed("c"))
    check(in_folder(folder.path), settled=False)


def test_a_vault_answer_that_was_removed_halts_instead_of_refusing_intents(
    folder: Folder, trader: Producer
) -> None:
    assert run_once(folder, trader.signed("a")) == ["signed"]
    write(folder.pipeline, "DELETE FROM records WHERE topic = ?", number(Topic.VAULT))
    with pytest.raises(StateRollbackError, match=r"\b0 .*vault"):
        run_once(folder, trader.signed("b"))


def test_a_forged_signed_transaction_in_the_log_is_not_shown_to_consumers(folder: Folder) -> None:
    run_once(folder)
    forged = b'{"type":"transaction.signed","raw_transaction":"0x00"}'
    write(folder.pipeline, ROW, number(Topic.SIGNED), HOME, 0, ACCOUNT, forged, 1)
    with connect(folder.path) as api:
        assert not list(api.signed(after=0, follow=False))


def test_a_folder_whose_trust_names_other_partitions_halts(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    trust = json.loads((folder.path / "trust.json").read_text())
    (folder.path / "trust.json").write_bytes(
        json.dumps(trust | {"partitions": 1}, separators=(",", ":"), sort_keys=True).encode()
    )
    with pytest.raises(StateIntegrityError, match=r"1 partitions.* has 4"):
        run_once(folder, trader.signed("a", to=ALLOWED), trader.signed("b", to=STRANGER))


def test_there_is_no_lock_file_to_delete_under_the_owner(folder: Folder) -> None:
    with folder.ownership_lock():
        assert not (folder.path / "lock").exists()
        with pytest.raises(FolderBusyError), folder.ownership_lock():
            pass


def test_a_second_signer_on_the_folder_halts_at_its_first_commit(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    first, second = open_pipeline(folder), open_pipeline(folder)
    first.submit(trader.signed("a"))
    assert ends(first.drain()) == ["signed"]
    with pytest.raises(StateIntegrityError, match="changed by another program"):
        second.drain()
    first.submit(trader.signed("b"))
    assert ends(first.drain()) == ["signed"]
    check(in_folder(folder.path), settled=True)


def test_large_records_are_read_in_bounded_batches(tmp_path: Path) -> None:
    large = [Outgoing(Topic.SUBMITTED, ACCOUNT, bytes(READ_BYTES_MAX // 4))] * 12
    with closing(SqliteLog(tmp_path / "inbox.db", 4)) as log:
        log.append(large, 1)
        offset, reads = 0, list[int]()
        while records := log.read(Topic.SUBMITTED, HOME, offset, 128):
            reads.append(len(records))
            offset = records[-1].offset + 1
    assert reads == [5, 5, 2]


def test_an_intent_does_not_overtake_a_record_behind_large_registry_records(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    off = agent_entry(trader.signer, active=False)
    raw = registry_record(folder, pipeline.runner.slot.registry, off)
    junk = bytes(READ_BYTES_MAX // 2)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", one) for one in (*[junk] * 3, raw)], 1)
    pipeline.submit(trader.signed("a"))
    assert ends(pipeline.drain()) == ["agent_inactive"]
