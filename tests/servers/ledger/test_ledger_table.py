"""The table in the real engine: what it stores, and what it refuses."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.topics import Topic
from streams.ledger.chain import EMPTY, Entry, Tip, hashes
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.embedded import open_folder
from streams.ledger.entry import entry_of
from streams.ledger.errors import LedgerConflictError, LedgerUnavailableError, LedgerVersionError
from streams.ledger.migrations import migrate, migrations
from streams.ledger.ordering import PARTITION_ROWS
from streams.ledger.table import COLUMNS, Batch, LedgerTable, batch_of, ends_at
from streams.ledger.verifier import Row
from streams.ledger.verify_sql import verify
from tests.harness.builders.ledger import ORG, Pipeline, chained, filled, put

ID = "0x" + "1f" * 32
Fresh = Callable[[], ClickHouse]


@pytest.fixture
def table(fresh: Fresh) -> LedgerTable:
    return LedgerTable(fresh(), ORG)


def entries(count: int) -> list[Entry]:
    return [entry_of(record) for record in Pipeline().run(count)]


def event(n: int, body: bytes | None = None) -> Entry:
    raw = body or orjson.dumps({"id": ID, "n": n, "type": "audit"}, option=orjson.OPT_SORT_KEYS)
    return Entry(Topic.AUDIT, 0, n, "", 0, ID, raw)


def test_an_empty_table_ends_at_genesis(table: LedgerTable) -> None:
    assert table.tip() == EMPTY
    assert table.positions() == {}
    assert list(table.rows()) == []
    assert table.hash_at(0) is None


def test_rows_come_back_as_they_were_written(table: LedgerTable) -> None:
    written = entries(20)
    batch = batch_of(EMPTY, written)
    table.append(batch)
    assert table.tip() == batch.tip
    assert [Entry(*row[3:]) for row in table.rows()] == written
    assert [row.hash for row in table.rows()] == hashes(EMPTY, written)
    assert table.hash_at(7) == hashes(EMPTY, written)[7]


def test_positions_are_behind_the_last_row_of_each_partition(table: LedgerTable) -> None:
    table.append(batch_of(EMPTY, entries(5)))
    positions = table.positions()
    assert positions[Topic.SUBMITTED, 0] == 5
    assert positions[Topic.SIGNED, 0] == 4
    assert (Topic.STATE, 0) not in positions


def test_batches_follow_each_other(table: LedgerTable) -> None:
    for n in range(4):
        table.append(batch_of(table.tip(), [event(n)]))
    assert verify(table.clickhouse).rows == 4


def test_a_batch_on_an_old_tip_conflicts(table: LedgerTable) -> None:
    table.append(batch_of(EMPTY, [event(0)]))
    with pytest.raises(LedgerConflictError, match="one writer"):
        table.append(batch_of(EMPTY, [event(1)]))
    assert table.tip().rows == 1


def test_a_batch_on_a_tip_within_a_batch_conflicts(table: LedgerTable) -> None:
    """No token deduplicates it, because none was ever sent for that row."""
    table.append(batch_of(EMPTY, [event(n) for n in range(3)]))
    stale = batch_of(Tip(1, hashes(EMPTY, [event(0)])[0]), [event(9)])
    with pytest.raises(LedgerConflictError, match="one writer"):
        table.append(stale)
    assert verify(table.clickhouse).rows == 3


def test_the_later_of_two_writers_on_one_tip_gets_a_conflict(
    table: LedgerTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read the tip before either inserts: the token drops one, and reading back shows it."""
    mine, theirs = batch_of(EMPTY, [event(0)]), batch_of(EMPTY, [event(1)])
    insert = ClickHouse.insert_arrow

    def theirs_first(self: ClickHouse, *arguments: object) -> None:
        monkeypatch.setattr(ClickHouse, "insert_arrow", insert)
        LedgerTable(self, ORG).append(theirs)
        insert(self, *arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(ClickHouse, "insert_arrow", theirs_first)
    with pytest.raises(LedgerConflictError):
        table.append(mine)
    assert table.tip() == theirs.tip


def test_a_batch_sent_twice_is_stored_once(table: LedgerTable) -> None:
    batch = batch_of(EMPTY, entries(2))
    for _ in range(2):
        send(table, batch)
    assert table.tip() == batch.tip
    assert len(list(table.rows())) == batch.tip.rows


def test_a_lost_response_is_resolved_by_reading_back(
    table: LedgerTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = ClickHouse.insert_arrow

    def answer_lost(self: ClickHouse, *arguments: object) -> None:
        insert(self, *arguments)  # type: ignore[arg-type]  # passed through
        raise LedgerUnavailableError("The answer was lost.")

    monkeypatch.setattr(ClickHouse, "insert_arrow", answer_lost)
    table.append(batch_of(EMPTY, [event(0)]))
    assert table.tip().rows == 1


def test_a_lost_request_is_raised(table: LedgerTable, monkeypatch: pytest.MonkeyPatch) -> None:
    def request_lost(*_arguments: object) -> None:
        raise LedgerUnavailableError("The request was lost.")

    monkeypatch.setattr(ClickHouse, "insert_arrow", request_lost)
    with pytest.raises(LedgerUnavailableError, match="request was lost"):
        table.append(batch_of(EMPTY, [event(0)]))
    assert table.tip() == EMPTY


def test_a_server_refuses_a_delayed_insert_after_the_chain_moved_on(
    table: LedgerTable,
) -> None:
    """Its token has expired in the engine. The embedded engine has no other writer."""
    if table.clickhouse.in_process:
        return
    held_up = batch_of(EMPTY, [event(7)])
    table.append(batch_of(EMPTY, [event(0)]))
    tip = table.tip()
    stream = pa.BufferReader(held_up.stream)
    with pytest.raises(LedgerUnavailableError, match="no longer ends"):
        table.clickhouse.insert_arrow("ledger", COLUMNS, stream, "forgotten", ends_at(EMPTY))
    held_up = batch_of(tip, [event(7)])
    table.append(batch_of(tip, [event(1)]))
    stream = pa.BufferReader(held_up.stream)
    with pytest.raises(LedgerUnavailableError, match="no longer ends"):
        table.clickhouse.insert_arrow("ledger", COLUMNS, stream, "forgotten too", ends_at(tip))
    assert table.row_count() == 2


@pytest.mark.parametrize("field", Row._fields)
def test_a_row_with_a_wrong_hash_is_not_stored(table: LedgerTable, field: str) -> None:
    (row,) = chained([event(0)._replace(key="treasury")], Tip(0, bytes(range(32))))
    value = getattr(row, field)
    other: dict[str, Any] = {field: value + 1 if isinstance(value, int) else value[1:] + value[:1]}
    with pytest.raises(LedgerUnavailableError, match=r"Constraint `chained`|hash"):
        put(table.clickhouse, row._replace(**other))
    assert table.tip() == EMPTY
    put(table.clickhouse, row)
    assert table.tip() == Tip(1, row.hash)


def test_a_query_aid_cannot_be_supplied(table: LedgerTable) -> None:
    names = "seq, prev_hash, hash, topic, partition, offset, key, at_ms, event_id, body"
    for aid in ("agent", "intent", "sequence", "doc", "payload"):
        with pytest.raises(LedgerUnavailableError, match=aid):
            table.clickhouse.command(
                f"INSERT INTO ledger ({names}, {aid}) SELECT {names}, '' FROM ledger"  # noqa: S608 - an attack
            )


def test_batches_meet_the_table_partitions_edge(table: LedgerTable) -> None:
    """A chain may cross the edge between two batches, but not within one batch."""
    base = Tip(PARTITION_ROWS - 1, b"p" * 32)
    send(table, batch_of(base, [event(0)]))
    with pytest.raises(LedgerUnavailableError, match="Too many partitions"):
        send(table, batch_of(base, [event(0), event(1)]), "other")
    table.append(batch_of(table.tip(), [event(1)]))
    assert [row.seq for row in table.rows(PARTITION_ROWS - 1)] == [
        PARTITION_ROWS - 1,
        PARTITION_ROWS,
    ]


HOSTILE: dict[str, object] = {
    "numbers where text belongs": {"type": 1, "intent": 2, "account": 3, "agent": {"a": []}},
    "text where numbers belong": {"sequence": "x", "chain_id": "x", "decided_at_ms": []},
    "numbers past 64 bits": {"sequence": 2**53, "chain_id": -1},
    "amounts that are none": {"value_wei": "-1", "spent_wei": "1e99", "type": "x"},
    "amounts past 256 bits": {"value_wei": "9" * 999, "spent_wei": str(2**256)},
    "payload that is no text": {"payload": 7, "payloadType": [], "envelope": "x"},
    "payload that is no base64": {"payload": "!!", "envelope": {"payload": "~"}},
    "zero bytes": {"agent": "\x00a", "intent": "\x00", "type": "\x00"},
    "very long names": {"agent": "a" * 100_000, "reason": "r" * 100_000},
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_body_never_blocks_the_ledger(table: LedgerTable, body: object) -> None:
    """``entry_of`` would make some of them opaque; this test inserts all of them as they are."""
    raw = orjson.dumps(body, option=orjson.OPT_SORT_KEYS)
    table.append(batch_of(EMPTY, [event(0, raw), event(1)]))
    assert next(table.rows()).body == raw
    verify(table.clickhouse)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "payload", "agent", "sequence", "id"]), inner)
    ),
    max_leaves=10,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(JSON | st.text(max_size=20), min_size=1, max_size=20))
def test_no_json_blocks_the_ledger(table: LedgerTable, bodies: list[object]) -> None:
    tip = table.tip()
    rows = [event(tip.rows + n, orjson.dumps(body)) for n, body in enumerate(bodies)]
    table.append(batch_of(tip, rows))
    assert [row.body for row in table.rows(tip.rows)] == [row.body for row in rows]


def test_bodies_come_back_byte_for_byte(table: LedgerTable) -> None:
    texts = ["é" * 1000, "\x7f\x01", '\\"', "\u2028", "🔑", "\\u0000", "a\x00b"]
    raw = [orjson.dumps({"id": ID, "text": text, "type": "audit"}) for text in texts]
    table.append(batch_of(EMPTY, [event(n, body) for n, body in enumerate(raw)]))
    assert [row.body for row in table.rows()] == raw


def test_every_thread_may_read_and_write(fresh: Fresh) -> None:
    """A writer thread, and readers with and without their own connection."""
    clickhouse = fresh()
    table, errors, stop = LedgerTable(clickhouse, ORG), list[Exception](), threading.Event()

    def write() -> None:
        for n in range(10):
            table.append(batch_of(table.tip(), [event(n)]))
        stop.set()

    def read(own: ClickHouse) -> None:
        seen = 0
        while not stop.is_set():
            rows = LedgerTable(own, ORG).tip().rows
            assert rows >= seen
            seen = rows

    def noted(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a thread's failure is the test's
            errors.append(error)
            stop.set()

    others = [clickhouse.new_connection() for _ in range(2)]
    threads = [threading.Thread(target=noted, args=(write,))]
    threads += [
        threading.Thread(target=noted, args=(lambda own=own: read(own),))
        for own in (clickhouse, clickhouse, *others)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for own in others:
        own.close()
    assert errors == []
    assert table.tip().rows == 10


def test_migrating_twice_does_nothing(fresh: Fresh) -> None:
    clickhouse = fresh()
    assert migrate(clickhouse) == 0
    recorded = clickhouse.rows("SELECT number, digest FROM migrations ORDER BY number")
    assert recorded == [
        (m.number, hashlib.sha256(m.sql.encode()).hexdigest()) for m in migrations()
    ]


def test_the_next_start_repairs_a_crash_between_two_statements(fresh: Fresh) -> None:
    clickhouse = fresh()
    clickhouse.command("DELETE FROM migrations WHERE number = 2")
    clickhouse.command("DROP VIEW trail")
    assert migrate(clickhouse) == 1
    assert clickhouse.rows("SELECT count() FROM trail") == [(0,)]


def test_tables_of_a_newer_version_are_left_alone(fresh: Fresh) -> None:
    clickhouse = fresh()
    clickhouse.command("INSERT INTO migrations VALUES (9999, 'tomorrow', 'x')")
    with pytest.raises(LedgerVersionError, match="newer version"):
        migrate(clickhouse)


def test_tables_of_another_migration_text_are_left_alone(fresh: Fresh) -> None:
    clickhouse = fresh()
    clickhouse.command("DELETE FROM migrations WHERE number = 1")
    clickhouse.command("INSERT INTO migrations VALUES (1, 'ledger', 'other')")
    with pytest.raises(LedgerVersionError, match="another text"):
        migrate(clickhouse)


def test_a_process_holds_one_folder_at_a_time(tmp_path: Path, fresh: Fresh) -> None:
    table = filled(fresh(), Pipeline().run(3))
    if not table.clickhouse.in_process:
        open_folder(tmp_path / "second").close()  # with a server this process opens no folder
        return
    with pytest.raises(LedgerUnavailableError, match="cannot connect with different path"):
        open_folder(tmp_path / "second")
    assert table.tip().rows == 27


def send(table: LedgerTable, batch: Batch, name: str = "first") -> None:
    """Insert without checking the tip, as a faulty writer does."""
    stream = pa.BufferReader(batch.stream)
    table.clickhouse.insert_arrow("ledger", COLUMNS, stream, name, only_if="1")
