"""Attacks by agents, by whoever writes to the files, by clients and by mistaken admins."""

import base64
import itertools
import json
import secrets
import socket
import sqlite3
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.dsse import KEY_REQUEST_TYPE, REGISTRY_TYPE, SIMULATION_TYPE, Envelope
from schemas.fields import SAFE_INTEGER_MAX, UINT256_MAX
from schemas.keys import KeyRequest
from schemas.outcome import TransactionSigned
from schemas.partition import partition_of
from schemas.policy import Policy
from schemas.record import Outgoing, Record
from schemas.registry import AccountOpened, Entry, ServiceSet, SettingSet
from schemas.simulation import SimulationReport
from schemas.topics import Topic
from signer.registry import Registry
from signer.signatures import Ed25519Signer
from signer.stage import Arrival, StageHalted
from signer.state import StateDamaged, StateRolledBack
from sixgate import operator
from sixgate.api import ApiError
from sixgate.clocks import wall_ms
from sixgate.connection import connect
from sixgate.folder import SIGNER, SIMULATOR, Folder, FolderBusy
from sixgate.keyfiles import load_key_file
from sixgate.node import Node
from sixgate.remote import dial
from sixgate.serving import CLIENTS_MAX, REQUEST_BYTES_MAX, serving
from sixgate.slots import open_signer_keys
from streams.gates import cascade
from streams.gates.passage import Passage, World
from streams.ledger.errors import LedgerUnavailable
from streams.log.errors import LogError
from streams.log.sqlite import READ_BYTES_MAX, SqliteLog, number
from streams.runners.clock import SteadyClock
from streams.simulators.local import LocalSimulator
from streams.simulators.pool import PoolLimits
from streams.simulators.report import Reporter
from tests.support.command_line import until
from tests.support.embedded import (
    ACCOUNT,
    ALLOWED,
    KEY_PATH,
    POLICY,
    STRANGER,
    ManualTime,
    Pipeline,
    Producer,
    agent_entry,
    make_folder,
    no_simulation,
    open_pipeline,
)
from tests.support.outside import check, in_folder
from tests.support.trading import Crash, DiesBeforeSigning, ends, run_once

PENDING_NONCE_MAX = 2**32 - 1  # the most that a report can say
HOME = partition_of(ACCOUNT, 4)
DAY_MS = 24 * 60 * 60 * 1000
OPEN_POLICY = Policy(
    tx_to_allowlist="any",
    tx_max_value_eth="unlimited",
    tx_max_fee_eth="unlimited",
    tx_daily_limit_eth="unlimited",
    tx_allowed_chains="any",
    intents_per_minute="unlimited",
)
ROW = "INSERT INTO records VALUES (NULL, ?, ?, ?, ?, ?, ?)"
SWAP_LIVE = """
UPDATE state SET value = (SELECT value FROM state s WHERE s.kind = 'live' AND s.key != state.key)
WHERE kind = 'live'
"""
DOUBLE_LIVE = """
INSERT INTO state SELECT randomblob(16), account, kind, key, value, 0, 0 FROM state
WHERE kind = 'live'
"""


def nonces(events: Sequence[Outgoing]) -> list[int]:
    return [orjson.loads(e.value)["nonce"] for e in events if e.topic is Topic.SIGNED]


def outcomes(folder: Folder) -> list[dict[str, Any]]:
    with closing(SqliteLog(folder.pipeline, 4)) as log:
        return [orjson.loads(r.value) for r in log.read(Topic.OUTCOMES, HOME, 0, 10_000)]


def write(path: Path, statement: str, *values: object) -> None:
    """Change a file behind the program's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(statement, values)


def registry_record(folder: Folder, registry: Registry, entry: Entry) -> bytes:
    chained = (registry.sequence, registry.head)
    return operator.record_envelope(folder.admin(), "acme", chained, entry, 1)[0]


# --- rows written into inbox.db by hand


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


def test_a_key_that_is_no_utf8_in_the_inbox_stops_nothing(folder: Folder, trader: Producer) -> None:
    run_once(folder)
    statement = "INSERT INTO records VALUES (NULL, ?, ?, 0, CAST(x'ff' AS TEXT), x'7b7d', 1)"
    write(folder.inbox, statement, number(Topic.SUBMITTED), HOME)
    assert Counter(run_once(folder, trader.signed("a"))) == {"malformed": 1, "signed": 1}


def test_a_time_before_1970_cannot_be_put_into_the_inbox(folder: Folder) -> None:
    run_once(folder)
    with pytest.raises(sqlite3.IntegrityError):
        write(folder.inbox, ROW, number(Topic.SUBMITTED), HOME, 0, ACCOUNT, b"{}", -1)


def test_a_far_offset_in_the_registry_does_not_multiply_what_is_loaded(folder: Folder) -> None:
    with closing(SqliteLog(folder.inbox, 4)) as log:
        rows = log.end(Topic.REGISTRY, 0)
        write(folder.inbox, ROW, number(Topic.REGISTRY), 0, 5_000, "", b"junk", 1)
        assert len(list(log.scan(Topic.REGISTRY, 0, 5_001))) == rows + 1


def test_large_records_do_not_fill_the_memory_of_who_reads_them(tmp_path: Path) -> None:
    large = [Outgoing(Topic.SUBMITTED, ACCOUNT, bytes(READ_BYTES_MAX // 4))] * 12
    with closing(SqliteLog(tmp_path / "inbox.db", 4)) as log:
        log.append(large, 1)
        offset, reads = 0, list[int]()
        while records := log.read(Topic.SUBMITTED, HOME, offset, 128):
            reads.append(len(records))
            offset = records[-1].offset + 1
    assert reads == [5, 5, 2]


def test_large_registry_records_do_not_let_an_intent_overtake_what_is_behind_them(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    off = agent_entry(trader.signer, active=False)
    raw = registry_record(folder, pipeline.runner.stage.registry, off)
    junk = bytes(READ_BYTES_MAX // 2)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", one) for one in (*[junk] * 3, raw)], 1)
    pipeline.submit(trader.signed("a"))
    assert ends(pipeline.drain()) == ["agent_inactive"]


# --- state records written into pipeline.db by hand


def test_state_records_that_cannot_be_found_by_place_do_not_make_a_replay_new(
    folder: Folder, trader: Producer
) -> None:
    intent = trader.signed("a")
    assert run_once(folder, intent) == ["signed"]
    write(folder.pipeline, "UPDATE state SET place = randomblob(16) WHERE kind = 'live'")
    try:
        run_once(folder, intent)
    except StateDamaged:
        return
    check(in_folder(folder.path), settled=False)


def test_a_live_record_deleted_under_the_running_signer_does_not_make_a_replay_new(
    folder: Folder, trader: Producer
) -> None:
    pipeline, intent = open_pipeline(folder), trader.signed("a")
    pipeline.submit(intent)
    assert ends(pipeline.drain()) == ["signed"]
    write(folder.pipeline, "DELETE FROM state WHERE kind = 'live'")
    pipeline.submit(intent)
    try:
        pipeline.drain()
    except StateDamaged:
        return
    check(in_folder(folder.path), settled=False)


def test_an_allocation_whose_hint_was_cleared_is_still_published_or_halts(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    pipeline = open_pipeline(folder, log=DiesBeforeSigning)
    pipeline.submit(trader.signed("a"))
    with pytest.raises(Crash):
        pipeline.drain()
    pipeline.close()
    write(folder.pipeline, "UPDATE state SET pending = 0")
    try:
        run_once(folder)
        run_once(folder, trader.signed("b"))
    except StateDamaged:
        return
    check(in_folder(folder.path), settled=True)


def test_an_accounts_state_put_back_before_the_ledger_caught_up_halts(
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
    try:
        with connect(folder.path) as api:
            list(api.submit([submitted(intent)], wait=True))
    except StateRolledBack:
        return
    check(in_folder(folder.path), settled=False)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM state WHERE kind = 'head'",
        "DELETE FROM state WHERE kind = 'slot'",
        "DELETE FROM state WHERE kind = 'live' AND key = (SELECT max(key) FROM state)",
        SWAP_LIVE,
        "UPDATE state SET account = 'other' WHERE kind = 'live'",
        DOUBLE_LIVE,
        "UPDATE state SET value = zeroblob(40)",
        "UPDATE state SET value = x''",
    ],
)
def test_state_that_was_cut_swapped_or_doubled_halts(
    folder: Folder, trader: Producer, statement: str
) -> None:
    run_once(folder, trader.signed("a"), trader.signed("b"))
    write(folder.pipeline, statement)
    with pytest.raises(Exception) as halted:  # noqa: PT011 - any halt will do, none will not
        run_once(folder, trader.signed("a"), trader.signed("c"))
    assert not isinstance(halted.value, AssertionError)
    check(in_folder(folder.path), settled=False)


def test_a_vault_answer_that_was_removed_halts_instead_of_refusing_intents(
    folder: Folder, trader: Producer
) -> None:
    assert run_once(folder, trader.signed("a")) == ["signed"]
    write(folder.pipeline, "DELETE FROM records WHERE topic = ?", number(Topic.VAULT))
    with pytest.raises((StateDamaged, LogError)):
        assert run_once(folder, trader.signed("b")) == ["signed"]


def test_a_forged_signed_transaction_in_the_log_is_not_shown_to_consumers(folder: Folder) -> None:
    run_once(folder)
    forged = b'{"type":"transaction.signed","raw_transaction":"0x00"}'
    write(folder.pipeline, ROW, number(Topic.SIGNED), HOME, 0, ACCOUNT, forged, 1)
    with connect(folder.path) as api:
        assert not list(api.signed(after=0, follow=False))


# --- two owners


def test_there_is_no_lock_file_to_delete_under_the_owner(folder: Folder) -> None:
    with folder.owned():
        assert not (folder.path / "lock").exists()
        with pytest.raises(FolderBusy), folder.owned():
            pass


def test_a_second_signer_on_the_folder_halts_at_its_first_commit(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    first, second = open_pipeline(folder), open_pipeline(folder)
    first.submit(trader.signed("a"))
    assert ends(first.drain()) == ["signed"]
    with pytest.raises(StateDamaged, match="changed by somebody else"):
        second.drain()
    first.submit(trader.signed("b"))
    assert ends(first.drain()) == ["signed"]
    check(in_folder(folder.path), settled=True)


# --- agents with valid keys


def colleagues(tmp_path: Path, policy: Policy = POLICY) -> tuple[Producer, Producer, Pipeline]:
    rogue = Producer(Ed25519Signer("rogue", secrets.token_bytes(32)))
    honest = Producer(Ed25519Signer("honest", secrets.token_bytes(32)))
    agents = [rogue.signer, honest.signer]
    return rogue, honest, open_pipeline(make_folder(tmp_path / "data", agents, policy))


@pytest.mark.parametrize("nonce", [1, 64, PENDING_NONCE_MAX, SAFE_INTEGER_MAX])
def test_an_agent_cannot_burn_the_nonces_of_a_shared_key(tmp_path: Path, nonce: int) -> None:
    rogue, honest, pipeline = colleagues(tmp_path)
    pipeline.submit(rogue.signed("a", nonce=nonce), honest.signed("b"))
    events = pipeline.drain()
    assert ends(events) == ["nonce_too_high", "signed"]
    assert nonces(events) == [0]


def test_an_agents_spending_cannot_overflow_the_day_of_another(tmp_path: Path) -> None:
    rogue, honest, pipeline = colleagues(tmp_path, OPEN_POLICY)
    most = UINT256_MAX - 21_000 * 10**9
    pipeline.submit(rogue.signed("a", value_wei=most), honest.signed("b", value_wei=10**18))
    assert ends(pipeline.drain()) == ["signed", "signed"]


def test_refusals_of_far_expiry_neither_fill_the_state_nor_slow_the_account(
    folder: Folder, trader: Producer
) -> None:
    moment, asked = ManualTime(), list[str]()
    trader.now_ms = lambda: moment.wall
    clock = SteadyClock(lambda: moment.wall, lambda: moment.boot)

    def look_up(name: str) -> bool:
        asked.append(name)
        return False

    pipeline = open_pipeline(folder, clock, decided_before=look_up)
    far_ms = 4_102_444_799_000
    pipeline.submit(*(trader.signed(f"{n}", expires_at_ms=far_ms) for n in range(20)))
    assert ends(pipeline.drain()) == ["expiry_too_far"] * 20
    asked.clear()
    moment.forward(30 * DAY_MS)
    for n in range(2):
        pipeline.submit(trader.signed(f"later-{n}"))
        assert ends(pipeline.drain()) == ["signed"]
    assert asked == []
    assert len(list(pipeline.runner.pipeline.live_of(ACCOUNT))) == 1 + 2


@pytest.mark.parametrize(
    "changes",
    [
        {"nonce": SAFE_INTEGER_MAX, "gas_limit": SAFE_INTEGER_MAX},
        {"gas_limit": SAFE_INTEGER_MAX, "max_fee_per_gas_wei": UINT256_MAX},
        {"max_fee_per_gas_wei": 0, "max_priority_fee_per_gas_wei": UINT256_MAX},
        {"value_wei": UINT256_MAX},
        {"chain_id": SAFE_INTEGER_MAX},
        {"data": "0x" + "00" * 80_000, "gas_limit": 10**7},
        {"data": "0x" + "ff" * 80_000},
        {"to": None, "data": "0x"},
        {"idempotency_key": '"\\' * 64},
        {"expires_at_ms": 0},
        {"key_path": "agents/somebody-else/" + "/".join(["a" * 57] * 4)},
    ],
)
def test_every_extreme_of_an_intent_has_one_readable_outcome(
    folder: Folder, trader: Producer, changes: dict[str, Any]
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.submit(trader.signed("a", **changes), trader.signed("good"))
    assert ends(pipeline.drain())[-1] == "signed"
    pipeline.close()
    open_pipeline(folder)
    assert len(check(in_folder(folder.path), settled=True).outcomes) == 2


@pytest.mark.parametrize(
    "value",
    [
        b'{"a":' * 5_000,
        b"[" * 200_000,
        b'"' + b"\\ud800" * 100 + b'"',
        b'{"payload":"","payloadType":"","signatures":[]}',
        b"1" * 100_000,
        b'{"' + "\U0001f600".encode() * 20_000 + b'":1}',
    ],
)
def test_hostile_bytes_end_unattributed(folder: Folder, trader: Producer, value: bytes) -> None:
    with connect(folder.path) as api:
        records = [submitted(value), submitted(trader.signed("a"))]
        _, *found = api.submit(records, wait=True)
        assert sorted(end["result"]["type"] for end in found) == [
            "intent.unattributed",
            "transaction.signed",
        ]
        assert list(api.verify(head=None))[-1]["verified"]["outcomes"] == 1


def test_the_same_intent_in_another_envelope_is_a_repetition(
    folder: Folder, trader: Producer
) -> None:
    pipeline, intent = open_pipeline(folder), trader.signed("a")
    renamed = intent.replace(b'"keyid":"trader"', b'"keyid":"another-name"')
    assert renamed != intent
    pipeline.submit(intent, renamed)
    assert ends(pipeline.drain()) == ["signed"]
    check(in_folder(folder.path), settled=True)


# --- simulators' reports


def reporting(
    folder: Folder, forger: Ed25519Signer | None = None, **changes: Any
) -> Callable[[Sequence[Passage]], list[Envelope]]:
    """Return a simulator that says what it is told to."""
    signer = forger or load_key_file(folder.key(SIMULATOR), SIMULATOR)

    def simulate(passages: Sequence[Passage]) -> list[Envelope]:
        return [signer.seal(SIMULATION_TYPE, report(p).encode()) for p in passages]

    def report(passage: Passage) -> SimulationReport:
        now_ms = passage.case.facts.at_ms
        terms: dict[str, Any] = {
            "simulator": SIMULATOR,
            "intent": passage.case.digest,
            "chain_id": 8453,
            "status": "succeeded",
            "simulated_at_ms": now_ms,
            "expires_at_ms": now_ms + 60_000,
        }
        return SimulationReport.model_construct(**(terms | changes))

    return simulate


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"intent": "0x" + "00" * 32}, "simulation_untrusted"),
        ({"chain_id": 1}, "simulation_untrusted"),
        ({"pending_nonce": PENDING_NONCE_MAX + 1}, "simulation_untrusted"),
        ({"gas_limit": 2**63}, "simulation_untrusted"),
        ({"gas_limit": SAFE_INTEGER_MAX}, "fee_too_high"),
        ({"max_fee_per_gas_wei": UINT256_MAX}, "fee_too_high"),
        ({"status": "whatever"}, "simulation_untrusted"),
        ({"expires_at_ms": 0}, "simulation_stale"),
        ({"status": "reverted", "revert_reason": "x" * 1024}, "simulation_reverted"),
        ({"status": "failed", "revert_reason": ""}, "simulation_failed"),
    ],
)
def test_a_simulators_report_that_is_absurd_or_anothers_refuses(
    folder: Folder, trader: Producer, changes: dict[str, Any], reason: str
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.runner.simulate = reporting(folder, **changes)
    pipeline.submit(trader.signed("a", simulate_first=True))
    assert ends(pipeline.drain()) == [reason]
    check(in_folder(folder.path), settled=True)


def test_a_report_signed_by_an_agent_refuses(folder: Folder, trader: Producer) -> None:
    pipeline = open_pipeline(folder)
    pipeline.runner.simulate = reporting(folder, trader.signer)
    pipeline.submit(trader.signed("a", simulate_first=True))
    assert ends(pipeline.drain()) == ["simulation_untrusted"]


@pytest.mark.parametrize("pending", [65, PENDING_NONCE_MAX])
def test_a_simulators_pending_nonce_does_not_burn_the_keys_nonces(
    folder: Folder, trader: Producer, pending: int
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.runner.simulate = reporting(folder, pending_nonce=pending)
    pipeline.submit(trader.signed("a", simulate_first=True), trader.signed("b"))
    events = pipeline.drain()
    assert ends(events) == ["nonce_too_high", "signed"]
    assert nonces(events) == [0]


def test_the_nonces_of_a_local_chain_are_not_those_that_are_signed(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    sender = pipeline.runner.stage.keys.by_path[ACCOUNT, KEY_PATH].address
    (folder.genesis / "base.json").write_text(local_chain(sender, nonce=41))
    key = load_key_file(folder.key(SIMULATOR), SIMULATOR)
    with closing(LocalSimulator(folder.genesis, PoolLimits())) as simulator:
        pipeline.runner.simulate = Reporter(simulator, key, wall_ms, 1_000)
        pipeline.submit(trader.signed("a", simulate_first=True))
        events = pipeline.drain()
    assert ends(events) == ["signed"]
    assert nonces(events) == [0]


def local_chain(sender: str, nonce: int) -> str:
    block = {"number": 1, "timestamp_s": 1, "base_fee_wei": "0", "gas_limit": 30_000_000}
    alloc = {sender: {"balance_wei": str(10**18), "nonce": nonce}}
    return json.dumps({"version": 1, "chain_id": 8453, "block": block, "alloc": alloc})


def test_a_report_from_the_future_is_no_fresh_report(folder: Folder, trader: Producer) -> None:
    pipeline = open_pipeline(folder)
    last = SAFE_INTEGER_MAX
    pipeline.runner.simulate = reporting(folder, simulated_at_ms=last - 1, expires_at_ms=last)
    pipeline.submit(trader.signed("a", simulate_first=True))
    assert ends(pipeline.drain()) == ["simulation_stale"]


def test_a_stale_report_sets_no_nonce_where_no_simulation_is_required(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    stale = reporting(folder, pending_nonce=77, simulated_at_ms=0, expires_at_ms=1)

    pipeline.drain()
    stage = pipeline.runner.stage
    world = World(stage.registry, stage.keys, stage.memory.account)
    record = Record(Topic.SUBMITTED, HOME, 0, ACCOUNT, trader.signed("a"), 1)
    passage = cascade.run([record], world, wall_ms(), no_simulation).decided[0]
    carried = passage.clearance.model_copy(update={"simulation": stale([passage])[0]})
    batch = stage.allocate([Arrival("x", carried)], wall_ms())
    assert isinstance(batch.pinned[0][1].pinned, TransactionSigned)
    assert batch.pinned[0][1].pinned.nonce == 0


def test_a_genesis_that_is_a_dangling_link_stops_nothing(folder: Folder, trader: Producer) -> None:
    (folder.genesis / "base.json").symlink_to("nowhere.json")
    pipeline = open_pipeline(folder)
    key = load_key_file(folder.key(SIMULATOR), SIMULATOR)
    with closing(LocalSimulator(folder.genesis, PoolLimits())) as simulator:
        pipeline.runner.simulate = Reporter(simulator, key, wall_ms, 1_000)
        pipeline.submit(trader.signed("a", simulate_first=True), trader.signed("b"))
        assert Counter(ends(pipeline.drain())) == {"simulation_failed": 1, "signed": 1}


# --- admins


def signer_entry(folder: Folder, change: str = "") -> ServiceSet:
    key = open_signer_keys(folder).identity.public_key
    terms: dict[str, Any] = {"role": "signer", "name": SIGNER, "public_key": key, "active": True}
    changes: dict[str, Any] = {
        "deactivated": {"active": False},
        "another key": {"public_key": "0x" + "11" * 32},
    }
    return ServiceSet(**(terms | changes.get(change, {})))


@pytest.mark.parametrize("change", ["deactivated", "another key"])
def test_the_front_door_refuses_what_would_halt_its_own_signer(folder: Folder, change: str) -> None:
    with connect(folder.path) as api:
        with pytest.raises(ApiError, match="active signer") as refused:
            operator.register(api, folder.admin(), [signer_entry(folder, change)], 1)
        assert refused.value.code == "registry_refused"
        operator.register(api, folder.admin(), [AccountOpened(account="later")], 1)
        assert "later" in api.registry()["accounts"]


@pytest.mark.parametrize("change", ["deactivated", "another key"])
def test_a_signer_that_the_registry_gave_up_signs_nothing_until_it_is_registered_again(
    folder: Folder, trader: Producer, change: str
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    sequence, head = pipeline.runner.stage.registry.sequence, pipeline.runner.stage.registry.head
    record, admin = operator.record_envelope, folder.admin()
    gone, head = record(admin, "acme", (sequence, head), signer_entry(folder, change), 1)
    back, _ = record(admin, "acme", (sequence + 1, head), signer_entry(folder), 1)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", gone)], 1)
    pipeline.submit(trader.signed("a"))
    for _ in range(2):
        with pytest.raises(StageHalted, match="active signer"):
            pipeline.runner.step()
        assert ends(pipeline.committed) == []
        pipeline.close()
        pipeline = open_pipeline(folder)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", back)], 1)
    assert ends(pipeline.drain()) == ["signed"]


def test_an_unprintable_setting_is_refused_within_the_limits_of_an_audit_record(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    entry = SettingSet(name="simulation.required", value="\U000e0001" * 256)
    raw = registry_record(folder, pipeline.runner.stage.registry, entry)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", raw)], 1)
    pipeline.submit(trader.signed("a"))
    assert ends(pipeline.drain()) == ["signed"]


def request(folder: Folder, **changes: Any) -> bytes:
    terms: dict[str, Any] = {
        "org": "acme",
        "account": ACCOUNT,
        "path": "keys/another",
        "requested_at_ms": 1,
    }
    body = KeyRequest(**(terms | changes)).encode()
    return folder.admin().seal(KEY_REQUEST_TYPE, body).encode()


def test_key_requests_and_registry_records_of_every_wrong_kind_become_audit_records(
    folder: Folder, trader: Producer
) -> None:
    pipeline = open_pipeline(folder)
    pipeline.drain()
    registry = pipeline.runner.stage.registry
    body = KeyRequest(org="acme", account=ACCOUNT, path="keys/x", requested_at_ms=1).encode()
    opened = registry_record(folder, registry, AccountOpened(account="x"))
    requests = [
        b"",
        request(folder, account="nobody"),
        request(folder, org="evil"),
        request(folder, path=KEY_PATH),
        folder.admin().seal(REGISTRY_TYPE, body).encode(),
        trader.signer.seal(KEY_REQUEST_TYPE, body).encode(),
        trader.signed("a"),
        opened,
    ]
    chained = (registry.sequence, registry.head)
    nothing = (chained[0], "0x" + "00" * 32)
    foreign = [("evil", chained), ("acme", (0, chained[1])), ("acme", nothing)]
    entry = AccountOpened(account="x")
    records = [
        b"",
        b"{}",
        trader.signed("b"),
        request(folder),
        operator.record_envelope(trader.signer, "acme", chained, entry, 1)[0],
        *(operator.record_envelope(folder.admin(), org, at, entry, 1)[0] for org, at in foreign),
        registry_record(folder, registry, agent_entry(trader.signer, account="nowhere")),
    ]
    pipeline.inbox.append([Outgoing(Topic.KEY_REQUESTS, ACCOUNT, raw) for raw in requests], 1)
    pipeline.inbox.append([Outgoing(Topic.REGISTRY, "", raw) for raw in records], 1)
    pipeline.submit(trader.signed("c"))
    assert ends(pipeline.drain()) == ["signed"]
    audits = [orjson.loads(e.value)["action"] for e in pipeline.committed if e.topic is Topic.AUDIT]
    assert Counter(audits) == {"key.refused": len(requests), "registry.refused": len(records)}
    pipeline.close()
    assert run_once(folder, trader.signed("d")) == ["signed"]


# --- the node and its socket


def submitted(value: bytes, key: str = ACCOUNT) -> dict[str, str]:
    return {"key": key, "value": base64.b64encode(value).decode()}


def ask(folder: Folder, line: bytes, timeout_s: float = 5) -> bytes:
    """Say something to the socket and return all that comes back."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(timeout_s)
        link.connect(str(folder.socket))
        link.sendall(line)
        link.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: link.recv(65_536), b""))


@pytest.fixture
def node(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(folder.path)  # a socket's address holds only 107 bytes
    with connect(folder.path) as api:
        assert isinstance(api, Node)
        yield api


def test_a_commit_that_fails_under_an_operators_call_loses_no_intent(
    node: Node, folder: Folder, trader: Producer
) -> None:
    node.pipeline.step()  # reads the registry
    entry = AccountOpened(account="second")
    raw = registry_record(folder, node._stage.registry, entry)  # noqa: SLF001
    log = node.pipeline.parts.runner.pipeline
    with node.pipeline.lock:  # so that the operator's call finds the intent first
        node.settle()
        log._db.execute("PRAGMA busy_timeout = 1")  # noqa: SLF001
        with closing(SqliteLog(folder.inbox, 4)) as inbox:
            inbox.append([Outgoing(Topic.SUBMITTED, ACCOUNT, trader.signed("a"))], 1)
        with closing(sqlite3.connect(folder.pipeline, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LogError):
                node.register(base64.b64encode(raw).decode())
            other.execute("ROLLBACK")
    try:
        list(node.submit([submitted(trader.signed("b"))], wait=True))
    except ApiError:
        node.pipeline.failure = None  # it halted, as it should; the fixture would raise it
        return
    run = [outcome["intent"] for outcome in outcomes(folder)]
    assert len(run) == 2, "an intent is skipped and nobody noticed"


def test_a_ledger_that_failed_under_a_clients_call_is_not_written_to_again(
    node: Node, folder: Folder, trader: Producer
) -> None:
    list(node.submit([submitted(trader.signed("a"))], wait=True))
    node.settle()
    kept = folder.heads.rename(folder.path / "kept")
    folder.heads.mkdir()
    with node.pipeline.parts.books._lock:  # noqa: SLF001 - so that the client's call finds it first
        list(node.submit([submitted(trader.signed("b"))], wait=True))
        with pytest.raises(LedgerUnavailable):
            node.settle()
    folder.heads.rmdir()
    kept.rename(folder.heads)
    with pytest.raises(ApiError, match=r"heads\.jsonl"):
        node.settle()
    node.pipeline.failure = None  # the fixture would raise it


def test_a_flood_does_not_keep_an_operator_from_deactivating_its_agent(
    node: Node, folder: Folder, trader: Producer
) -> None:
    node.pipeline.step()  # reads the registry
    off = agent_entry(trader.signer, active=False)
    raw = registry_record(folder, node._stage.registry, off)  # noqa: SLF001
    flood = [trader.signed(str(number), value_wei=1) for number in range(600)]
    with node.pipeline.lock:  # the flood is there before the operator calls
        with closing(SqliteLog(folder.inbox, 4)) as inbox:
            inbox.append([Outgoing(Topic.SUBMITTED, ACCOUNT, value) for value in flood], 1)
        node.register(base64.b64encode(raw).decode())
    while node.pipeline.step():
        continue
    found = Counter(outcome.get("reason", "signed") for outcome in outcomes(folder))
    assert found["signed"] <= 256, found


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\xff\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b'{"method":"stop","values":[],"named":{}}\n',
        b'{"method":"_step","values":[],"named":{}}\n',
        b'{"method":["status"],"values":[],"named":{}}\n',
        b'{"method":"status","values":[1],"named":{}}\n',
        b'{"method":"submit","values":[5],"named":{"wait":true}}\n',
        b'{"method":"submit","values":[[{"key":5,"value":"e30="}]],"named":{"wait":false}}\n',
        b'{"method":"submit","values":[[{"key":"a","value":5}]],"named":{"wait":false}}\n',
        b'{"method":"intents","values":[],"named":{"limit":-1,"account":null,"agent":null}}\n',
        b'{"method":"sql","values":["SELECT toUInt256(1) * 2"],"named":{}}\n',
        b'{"method":"sql","values":["SELECT nan, now()"],"named":{}}\n',
        b'{"method":"sql","values":[5],"named":{}}\n',
        b'{"method":"trail","values":[{}],"named":{}}\n',
        b'{"method":"register","values":["AAAA"],"named":{}}\n',
        b'{"method":"register","values":[5],"named":{}}\n',
        b'{"method":"provision","values":["e30="],"named":{}}\n',
        b'{"method":"verify","values":[],"named":{"head":[1]}}\n',
        b'{"method":"verify","values":[],"named":{"head":{"a":"\\u00e9"}}}\n',
        b'{"method":"signed","values":[],"named":{"after":"x","follow":false}}\n',
        b'{"method":"signed","values":[],"named":{"after":99999999999999999999,"follow":false}}\n',
        b'{"method":"export","values":[""],"named":{"form":"csv","since_ms":0,"until_ms":1}}\n',
        b'{"method":"export","values":["/tmp/x"],"named":{"form":"x","since_ms":0,"until_ms":1}}\n',
    ],
)
def test_a_malformed_request_is_answered_in_a_sentence(
    node: Node, folder: Folder, line: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    last = ask(folder, line).splitlines()[-1:]
    assert node.status()["org"] == "acme"
    assert "Traceback" not in capfd.readouterr().err
    assert last, "no answer"
    answer = orjson.loads(last[0])
    assert "done" in answer or answer["error"]["code"] != "internal", answer


def test_a_request_without_an_end_is_cut_off(node: Node, folder: Folder) -> None:
    assert node.status()
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5)
        link.connect(str(folder.socket))
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            link.sendall(b"x" * (REQUEST_BYTES_MAX + 16 * 1024 * 1024))


def test_opening_the_socket_changes_no_mode_of_what_other_threads_make(
    node: Node, tmp_path: Path
) -> None:
    modes, stop = set[int](), threading.Event()

    def make_folders() -> None:
        for count in itertools.count():
            made = tmp_path / f"made-{count}"
            made.mkdir()
            modes.add(stat.S_IMODE(made.stat().st_mode))
            if stop.is_set():
                return

    beside = threading.Thread(target=make_folders)
    beside.start()
    served = Folder(tmp_path / "served")
    served.path.mkdir()
    for _ in range(30):
        with serving(served, node):
            continue
    stop.set()
    beside.join()
    assert len(modes) == 1, modes


def test_more_clients_than_files_may_be_open_are_told_so(node: Node, folder: Folder) -> None:
    assert node.status()
    line = b'{"method":"status","values":[],"named":{}}\n'
    with ExitStack() as idle:
        for _ in range(CLIENTS_MAX):
            idle.enter_context(closing(dial(folder)))
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(folder.socket))
            link.settimeout(5)
            answer = orjson.loads(link.makefile("rb").readline())
        assert answer["error"]["code"] == "busy"

    def is_served() -> bool:
        with suppress(OSError):
            return b"done" in ask(folder, line)
        return False

    until(5, is_served)


def test_clients_that_follow_and_go_away_leave_no_threads(node: Node, folder: Folder) -> None:
    assert node.status()
    before = threading.active_count()
    line = b'{"method":"signed","values":[],"named":{"after":0,"follow":true}}\n'
    for _ in range(10):
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(folder.socket))
            link.sendall(line)
            time.sleep(0.02)
    time.sleep(1.5)
    assert threading.active_count() <= before + 2


def test_a_misrouted_copy_does_not_tell_a_client_that_its_intent_failed(
    node: Node, folder: Folder, trader: Producer
) -> None:
    intent = trader.signed("a")
    with node.pipeline.lock:  # the copy is there first
        with closing(SqliteLog(folder.inbox, 4)) as inbox:
            stranger = next(k for k in map(str, range(99)) if partition_of(k, 4) < HOME or not HOME)
            inbox.append([Outgoing(Topic.SUBMITTED, stranger, intent)], 1)
        stream = node.submit([submitted(intent)], wait=True)
        next(stream)
    assert [end["result"]["type"] for end in stream] == ["transaction.signed"]


def test_a_long_key_is_not_kept_in_memory_for_ever(node: Node) -> None:
    with pytest.raises(ApiError):
        list(node.submit([submitted(b"{}", "k" * 1_000_000)], wait=False))


def test_a_folder_whose_trust_names_other_partitions_halts(
    folder: Folder, trader: Producer
) -> None:
    run_once(folder)
    trust = json.loads((folder.path / "trust.json").read_text())
    (folder.path / "trust.json").write_bytes(
        json.dumps(trust | {"partitions": 1}, separators=(",", ":"), sort_keys=True).encode()
    )
    with pytest.raises((StateDamaged, LogError)):
        assert run_once(folder, trader.signed("a", to=ALLOWED), trader.signed("b", to=STRANGER))
