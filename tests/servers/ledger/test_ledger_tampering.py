"""Attackers with full access to the database; both verifiers must name the row."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from schemas.ledger.heads import LedgerHead
from streams.ledger import table as table_module
from streams.ledger import verify_sql
from streams.ledger.chain import EMPTY, Entry, Tip
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerRewrittenError, LedgerVerificationError
from streams.ledger.heads import HeadFile
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable, batch_of
from streams.ledger.verifier import Row, VerificationError, faults
from streams.ledger.verifier import verify as verify_rows
from tests.harness.builders.ledger import (
    HEAD_KEY,
    ORG,
    SIGNER_PUBLIC,
    MemoryLog,
    Pipeline,
    chained,
    filled,
    put,
    rows_of,
)

RECORDS = Pipeline().run(5)
ROWS = rows_of(RECORDS)
LAST = len(ROWS) - 1
MATERIALIZED = (
    "type", "intent", "account", "agent", "sequence", "chain_id", "to", "value_wei", "spent_wei",
    "decided_at_ms", "transaction_hash", "reason",
)  # fmt: skip
Fresh = Callable[[], ClickHouse]
_ROWS = (
    "SELECT seq, prev_hash, hash, topic, partition, offset, key, at_ms, event_id, body "
    "FROM ledger ORDER BY seq"
)


@pytest.fixture
def clickhouse(fresh: Fresh) -> ClickHouse:
    return filled(fresh(), RECORDS).clickhouse


class Found(NamedTuple):
    """Return the finding of both verifiers; None if the ledger verifies."""

    sql: tuple[int, str] | None
    python: tuple[int, str] | None


def findings(clickhouse: ClickHouse, *heads: LedgerHead) -> Found:
    in_sql = in_python = None
    try:
        verify_sql.verify(clickhouse, heads)
    except LedgerVerificationError as fault:
        in_sql = fault.seq, fault.what
    hashes = {head.sequence: bytes.fromhex(head.hash[2:]) for head in heads}
    try:
        verify_rows(stored(clickhouse), hashes, [SIGNER_PUBLIC])
    except VerificationError as fault:
        in_python = fault.seq, fault.what
    return Found(in_sql, in_python)


def stored(clickhouse: ClickHouse) -> list[Row]:
    """Read every row, including duplicates of a number."""
    return [Row._make((*row[:9], row[9].encode())) for row in clickhouse.rows(_ROWS)]


def head(seq: int) -> LedgerHead:
    own = "0x" + ROWS[seq].hash.hex()
    return LedgerHead(org=ORG, chain="main", sequence=seq, hash=own, at_ms=1)


def alter(clickhouse: ClickHouse, change: str) -> None:
    clickhouse.command(f"ALTER TABLE ledger {change} SETTINGS mutations_sync = 1")


def edit(clickhouse: ClickHouse, change: str, where: str) -> None:
    """Change ``column = value`` in some rows.

    The tests' server refuses to UPDATE a table with alias columns, so there the attacker replaces
    the table with an edited copy.
    """
    if clickhouse.in_process:
        alter(clickhouse, f"UPDATE {change} WHERE {where}")
        return
    column, _, value = change.partition(" = ")
    plain = clickhouse.rows(
        "SELECT name FROM system.columns WHERE table = 'ledger' AND database = {d:String} "
        "AND default_kind = ''",
        {"d": clickhouse.database},
    )
    names = [f"`{name}`" for (name,) in plain]
    changed = {column, f"`{column}`"}
    edited = [f"if({where}, {value}, {name})" if name in changed else name for name in names]
    for sql in (
        "CREATE TABLE edited AS ledger",
        "ALTER TABLE edited DROP CONSTRAINT chained",
        f"INSERT INTO edited ({', '.join(names)}) SELECT {', '.join(edited)} FROM ledger",  # noqa: S608 - an attacker's
        "EXCHANGE TABLES edited AND ledger",
    ):
        clickhouse.command(sql)


def both(what: tuple[int, str]) -> Found:
    return Found(what, what)


def test_an_untouched_ledger_verifies(clickhouse: ClickHouse) -> None:
    assert findings(clickhouse, head(0), head(20), head(LAST)) == Found(None, None)
    verified = verify_sql.verify(clickhouse)
    assert verified == (len(ROWS), "0x" + ROWS[-1].hash.hex())


def test_an_empty_ledger_verifies_unless_a_head_names_rows(fresh: Fresh) -> None:
    empty = fresh()
    assert findings(empty) == Found(None, None)
    assert findings(empty, head(3)) == both((0, faults.cut_off(3)))


@pytest.mark.parametrize(
    "change",
    [
        "topic = 'audit'",
        "partition = partition + 1",
        "offset = offset + 100",
        "key = concat(key, 'x')",
        "at_ms = at_ms + 1",
        "event_id = concat('0x', repeat('0', 64))",
        "body = concat(substring(body, 1, 40), '~', substring(body, 42))",
        "hash = SHA256('x')",
        "prev_hash = SHA256('x')",
        "body = ''",
    ],
)
def test_one_edited_value_is_reported_with_its_row(clickhouse: ClickHouse, change: str) -> None:
    edit(clickhouse, change, "seq = 12")
    assert findings(clickhouse) == both((12, faults.HASH))


@pytest.mark.parametrize("column", MATERIALIZED)
def test_an_edited_query_aid_is_named_in_sql_and_is_no_part_of_the_chain(
    clickhouse: ClickHouse, column: str
) -> None:
    kind = clickhouse.rows(
        "SELECT type FROM system.columns WHERE table = 'ledger' AND name = {c:String} "
        "AND database = {d:String}",
        {"c": column, "d": clickhouse.database},
    )[0][0]
    other = "'forged'" if "String" in kind else "7"
    clickhouse.command(f"ALTER TABLE ledger MODIFY COLUMN `{column}` REMOVE MATERIALIZED")
    edit(clickhouse, f"`{column}` = {other}", "seq = 12")
    expected = (12, f"its column {column} does not match its body")
    assert findings(clickhouse) == Found(expected, None)


def test_a_changed_definition_of_the_query_aids_does_not_help(clickhouse: ClickHouse) -> None:
    clickhouse.command("ALTER TABLE ledger MODIFY COLUMN agent MATERIALIZED 'nobody'")
    clickhouse.command("ALTER TABLE ledger MATERIALIZE COLUMN agent SETTINGS mutations_sync = 1")
    assert findings(clickhouse).sql == (0, "its column agent does not match its body")


def test_a_changed_alias_changes_no_verdict(clickhouse: ClickHouse) -> None:
    clickhouse.command("ALTER TABLE ledger MODIFY COLUMN payload String ALIAS '{}'")
    assert findings(clickhouse) == Found(None, None)
    if not clickhouse.in_process:
        return  # an edited copy includes the changed alias, which is reported
    edit(clickhouse, "at_ms = 7", "seq = 3")
    assert findings(clickhouse) == both((3, faults.HASH))


@pytest.mark.parametrize("seq", [0, 12, 13])
def test_a_deleted_row_is_named(clickhouse: ClickHouse, seq: int) -> None:
    alter(clickhouse, f"DELETE WHERE seq = {seq}")
    assert findings(clickhouse) == both((seq, faults.missing(seq + 1)))


def test_a_row_inserted_under_a_taken_number_is_named(clickhouse: ClickHouse) -> None:
    forged = entry(12)._replace(at_ms=1)
    put(clickhouse, chained([forged], Tip(12, ROWS[11].hash))[0])
    seqs = {what[0] for what in findings(clickhouse) if what}
    assert seqs <= {12, 13}
    assert None not in findings(clickhouse)


def test_a_row_inserted_far_behind_the_end_is_named(clickhouse: ClickHouse) -> None:
    put(clickhouse, chained([entry(12)], Tip(10**15, ROWS[11].hash))[0])
    missing = (len(ROWS), faults.missing(10**15))
    assert findings(clickhouse) == both(missing)


def test_a_row_with_the_largest_number_hangs_no_verifier(clickhouse: ClickHouse) -> None:
    put(clickhouse, chained([entry(12)], Tip(2**64 - 1, ROWS[11].hash))[0])
    missing = (len(ROWS), faults.missing(2**64 - 1))
    assert findings(clickhouse) == both(missing)
    with pytest.raises(VerificationError, match="missing"):
        verify_rows(LedgerTable(clickhouse, ORG).rows())  # type: ignore[arg-type]  # the same fields


def test_a_number_taken_twice_is_read_twice_wherever_pieces_end(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(clickhouse, ROWS[12])
    for rows in (1, 12, 13, 14):
        monkeypatch.setattr(table_module, "SCAN_ROWS", rows)
        read = [row.seq for row in LedgerTable(clickhouse, ORG).rows()]
        assert read == sorted([*range(len(ROWS)), 12])


@pytest.mark.parametrize("attack", ["deleted", "doubled"])
def test_a_sink_counts_the_rows_before_it_starts(
    clickhouse: ClickHouse, tmp_path_factory: pytest.TempPathFactory, attack: str
) -> None:
    if attack == "deleted":
        alter(clickhouse, "DELETE WHERE seq = 12")
    else:
        put(clickhouse, ROWS[12])
    heads = HeadFile(tmp_path_factory.mktemp("heads") / "heads.jsonl")
    with pytest.raises(LedgerRewrittenError, match="rows were deleted or inserted"):
        Sink(MemoryLog(RECORDS), LedgerTable(clickhouse, ORG), heads, HEAD_KEY, lambda: 1)


def test_two_swapped_rows_are_named(clickhouse: ClickHouse) -> None:
    alter(clickhouse, "DELETE WHERE seq IN (12, 13)")
    clickhouse.command("ALTER TABLE ledger DROP CONSTRAINT chained")
    put(clickhouse, ROWS[12]._replace(seq=13))
    put(clickhouse, ROWS[13]._replace(seq=12))
    assert findings(clickhouse) == both((12, faults.HASH))


def test_two_swapped_entries_rehashed_break_the_next_link(clickhouse: ClickHouse) -> None:
    alter(clickhouse, "DELETE WHERE seq IN (12, 13)")
    for row in chained([entry(13), entry(12)], Tip(12, ROWS[11].hash)):
        put(clickhouse, row)
    assert findings(clickhouse) == both((14, faults.LINK))


def test_a_remembered_head_detects_truncation(clickhouse: ClickHouse) -> None:
    alter(clickhouse, "DELETE WHERE seq >= 30")
    assert findings(clickhouse, head(29)) == Found(None, None)
    missing = both((30, faults.cut_off(LAST)))
    assert findings(clickhouse, head(35), head(LAST)) == missing


def test_a_remembered_head_detects_a_rewritten_suffix(clickhouse: ClickHouse) -> None:
    """Every hash is recomputed, so the table is consistent in itself."""
    alter(clickhouse, "DELETE WHERE seq >= 20")
    suffix = [entry(n) for n in range(20, len(ROWS))]
    suffix[0] = suffix[0]._replace(at_ms=1)
    LedgerTable(clickhouse, ORG, "other").append(batch_of(Tip(20, ROWS[19].hash), suffix))
    assert findings(clickhouse, head(19)) == Found(None, None)
    other = both((30, faults.HEAD_WITH_OTHER_HASH))
    assert findings(clickhouse, head(30)) == other


def test_an_outcome_rewritten_with_all_hashes_fails_by_its_signature(
    clickhouse: ClickHouse,
) -> None:
    seq = next(row.seq for row in ROWS if row.topic == "outcomes")
    suffix = [entry(n) for n in range(seq, len(ROWS))]
    body = suffix[0].body.replace(b'"nonce":0', b'"nonce":7')
    suffix[0] = suffix[0]._replace(body=body)
    alter(clickhouse, f"DELETE WHERE seq >= {seq}")
    LedgerTable(clickhouse, ORG, "other").append(batch_of(Tip(seq, ROWS[seq - 1].hash), suffix))
    in_sql, in_python = findings(clickhouse)
    assert in_sql is None
    assert in_python is not None
    assert "outcome 1 of account account-0 is missing" in in_python[1]


def test_an_offset_taken_twice_is_named(fresh: Fresh) -> None:
    entries = [entry(n) for n in range(18)]
    entries[9] = entries[9]._replace(offset=0)
    table = LedgerTable(fresh(), ORG)
    table.append(batch_of(EMPTY, entries))
    what = (9, faults.OFFSET)
    assert findings(table.clickhouse) == both(what)


def test_an_event_under_a_foreign_id_is_named(fresh: Fresh) -> None:
    entries = [entry(n) for n in range(8)]
    entries[7] = entries[7]._replace(event_id="0x" + "00" * 32)
    table = LedgerTable(fresh(), ORG)
    table.append(batch_of(EMPTY, entries))
    in_sql, in_python = findings(table.clickhouse)
    assert in_sql == (7, "its column event_id does not match its body")
    assert in_python == (7, faults.EVENT_ID)


@pytest.mark.parametrize("rows", [1, 7, 8, 44, 45])
def test_the_chunk_size_changes_no_finding(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """Finding a fault at a piece's first row needs the end of the piece before."""
    monkeypatch.setattr(verify_sql, "PIECE_ROWS", rows)
    steps: list[tuple[int, int]] = []
    verify_sql.verify(clickhouse, progress=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (len(ROWS), len(ROWS))
    assert len(steps) == -(-len(ROWS) // rows)
    alter(clickhouse, "DELETE WHERE seq IN (7, 8)")
    for row in chained([entry(8), entry(7)], Tip(7, ROWS[6].hash)):
        put(clickhouse, row)
    assert findings(clickhouse).sql == (9, faults.LINK)


@pytest.mark.parametrize("rows", [1, 5])
def test_an_offset_taken_in_an_earlier_piece_is_named(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(verify_sql, "PIECE_ROWS", rows)
    entries = [entry(n) for n in range(18)]
    entries[9] = entries[9]._replace(offset=0)
    table = LedgerTable(fresh(), ORG)
    table.append(batch_of(EMPTY, entries))
    what = (9, faults.OFFSET)
    assert findings(table.clickhouse).sql == what


def test_the_first_of_several_faults_is_named(clickhouse: ClickHouse) -> None:
    edit(clickhouse, "at_ms = 1", "seq IN (30, 17, 25)")
    alter(clickhouse, "DELETE WHERE seq = 20")
    assert findings(clickhouse) == both((17, faults.HASH))


def test_a_verdict_is_about_the_current_rows(clickhouse: ClickHouse) -> None:
    """The engine must not answer from the cache of an equal query."""
    for _ in range(3):
        assert findings(clickhouse) == Found(None, None)
    edit(clickhouse, "at_ms = 1", "seq = 17")
    assert findings(clickhouse) == both((17, faults.HASH))


@pytest.mark.parametrize("cut", ["seq >= 30", f"seq = {LAST}", "1"])
def test_a_sink_does_not_start_on_a_table_behind_its_last_head(
    clickhouse: ClickHouse, tmp_path_factory: pytest.TempPathFactory, cut: str
) -> None:
    heads = HeadFile(tmp_path_factory.mktemp("heads") / "heads.jsonl")
    heads.publish(HEAD_KEY.sign_head(head(LAST)))
    alter(clickhouse, f"DELETE WHERE {cut}")
    with pytest.raises(LedgerRewrittenError, match=f"Row {LAST} .*missing"):
        Sink(MemoryLog(RECORDS), LedgerTable(clickhouse, ORG), heads, HEAD_KEY, lambda: 1)


def entry(seq: int) -> Entry:
    return Entry(*ROWS[seq][3:])
