"""The sink between a log and the table: where it continues, and when it refuses to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.dsse import Envelope
from schemas.record import Record
from schemas.topics import Topic
from signer.custody.event_signing import Ed25519Signer
from streams.ledger import ordering, sink
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.entry import entry_of
from streams.ledger.errors import (
    LedgerConflictError,
    LedgerError,
    LedgerGapError,
    LedgerRewrittenError,
    LedgerUnavailableError,
    LedgerVerificationError,
)
from streams.ledger.heads import HeadFile, HeadKey
from streams.ledger.sink import Sink
from streams.ledger.table import LedgerTable, batch_of
from streams.ledger.verifier import verify as verify_rows
from streams.ledger.verify_sql import verify
from tests.harness.builders.ledger import HEAD_KEY, ORG, SIGNER_PUBLIC, MemoryLog, Pipeline

NOW_MS = 1_790_000_777_000


class Ledger:
    """A table, a log and the file of heads; tests make several sinks from them."""

    def __init__(self, clickhouse: ClickHouse, folder: Path) -> None:
        self.table = LedgerTable(clickhouse, ORG)
        self.pipeline = Pipeline()
        self.log = MemoryLog()
        self.heads = HeadFile(folder / "heads.jsonl")
        self.opened: list[Sink] = []

    def sink(self, key: HeadKey = HEAD_KEY) -> Sink:
        made = Sink(self.log, self.table, self.heads, key, lambda: NOW_MS)
        self.opened.append(made)
        return made

    def log_intents(self, count: int) -> None:
        self.pipeline.run(count, len(self.pipeline.records))
        self.log.records = list(self.pipeline.records)

    def verify(self) -> int:
        """Verify with both verifiers against every published head; return the number of rows."""
        heads = [HEAD_KEY.open(envelope) for envelope in self.heads.heads()]
        hashes = {head.sequence: bytes.fromhex(head.hash[2:]) for head in heads}
        rows = verify(self.table.clickhouse, heads).rows
        again = verify_rows(self.table.rows(), hashes, [SIGNER_PUBLIC])  # type: ignore[arg-type]  # the same fields
        assert again.rows == rows
        return rows


@pytest.fixture
def ledger(fresh: Callable[[], ClickHouse], tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(fresh(), tmp_path)
    yield made
    for opened in made.opened:
        opened.close()


def drain(made: Sink) -> int:
    total = 0
    while count := made.step():
        total += count
    return total


def test_every_record_becomes_a_row_covered_by_the_head(ledger: Ledger) -> None:
    ledger.log_intents(10)
    assert drain(ledger.sink()) == len(ledger.log.records)
    assert ledger.verify() == len(ledger.log.records)
    envelope = ledger.heads.last()
    assert envelope is not None
    head = HEAD_KEY.open(envelope)
    assert (head.org, head.chain, head.at_ms) == (ORG, "main", NOW_MS)
    assert (head.sequence, head.hash) == (87, "0x" + ledger.table.tip().hash.hex())


def test_an_empty_log_makes_no_row_and_no_head(ledger: Ledger) -> None:
    assert ledger.sink().step() == 0
    assert ledger.heads.last() is None


def test_a_new_sink_continues_where_the_table_ends(ledger: Ledger) -> None:
    for count in (1, 3, 2):
        ledger.log_intents(count)
        drain(ledger.sink())
    assert ledger.verify() == len(ledger.log.records)
    assert len(list(ledger.heads.heads())) == 3


def test_rows_that_were_never_acknowledged_are_not_written_again(ledger: Ledger) -> None:
    """The crash came after the insert and before the head: the next start publishes one."""
    ledger.log_intents(4)
    ledger.table.append(
        batch_of(ledger.table.tip(), [entry_of(record) for record in ledger.log.records])
    )
    made = ledger.sink()
    assert ledger.heads.last() is not None
    assert made.step() == 0
    assert ledger.verify() == len(ledger.log.records)


def append_with_false_last(ledger: Ledger, change: dict[str, Any]) -> int:
    """Append the log's rows, the last one changed; return the number of the last one.

    The attack: the table's administrator appends a consistent row before the ledger starts.
    """
    ledger.log_intents(4)
    *true, last = map(entry_of, ledger.log.records)
    ledger.table.append(batch_of(ledger.table.tip(), [*true, last._replace(**change)]))
    return len(true)


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"digest":"0x","size_bytes":1,"type":"opaque"}'},
        {"key": "other"},
        {"at_ms": 1},
    ],
)
def test_no_head_vouches_for_a_row_with_another_content_than_its_record(
    ledger: Ledger, change: dict[str, Any]
) -> None:
    number = append_with_false_last(ledger, change)
    with pytest.raises(LedgerVerificationError, match="content is not that") as caught:
        ledger.sink()
    assert caught.value.seq == number
    assert ledger.heads.last() is None


@pytest.mark.parametrize("change", [{"offset": 10_000}, {"partition": 9}])
def test_no_head_vouches_for_a_row_whose_place_is_beyond_the_log(
    ledger: Ledger, change: dict[str, Any]
) -> None:
    append_with_false_last(ledger, change)
    with pytest.raises(LedgerGapError, match="the log is older than the ledger"):
        ledger.sink()
    assert ledger.heads.last() is None


def test_expired_records_of_rows_without_a_head_hinder_no_start(ledger: Ledger) -> None:
    ledger.log_intents(4)
    ledger.table.append(batch_of(ledger.table.tip(), list(map(entry_of, ledger.log.records))))
    ledger.log.first[(Topic.SUBMITTED, 0)] = 3
    ledger.sink()
    assert ledger.heads.last() is not None


def test_a_step_is_bounded_and_batches_chain(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sink, "READ_RECORDS_MAX", 25)
    monkeypatch.setattr(ordering, "BATCH_ROWS_MAX", 7)
    ledger.log_intents(10)
    made = ledger.sink()
    assert made.step() == 25
    assert drain(made) == len(ledger.log.records) - 25
    assert ledger.verify() == len(ledger.log.records)


def test_hostile_records_are_kept_by_digest_and_all_verifies(ledger: Ledger) -> None:
    values = [b"", b"\x00\xff", b"[" * 10_000, b"{}", b'{"a":NaN}', b"x" * 100_000]
    for value in values:
        ledger.pipeline.append(Topic.OUTCOMES, "Not A Name\x00", value)
        ledger.pipeline.append(Topic.SUBMITTED, "", value)
    ledger.log_intents(2)
    drain(ledger.sink())
    assert ledger.verify() == len(ledger.log.records)


def test_a_failed_insert_ends_the_sink_and_a_new_one_continues(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "BATCH_ROWS_MAX", 20)
    ledger.log_intents(10)
    insert, calls = ClickHouse.insert_arrow, list[int]()

    def third_fails(self: ClickHouse, *arguments: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise LedgerUnavailableError("The disk is full.")
        insert(self, *arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(ClickHouse, "insert_arrow", third_fails)
    with pytest.raises(LedgerUnavailableError, match="disk is full"):
        drain(ledger.sink())
    assert ledger.table.tip().rows == 40
    assert drain(ledger.sink()) == len(ledger.log.records) - 40
    assert ledger.verify() == len(ledger.log.records)


def test_a_head_that_cannot_be_published_ends_the_step(ledger: Ledger) -> None:
    class Full:
        def publish(self, head: Envelope) -> None:
            raise LedgerUnavailableError(f"The head {head.payload_type} could not be written.")

        def last(self) -> Envelope | None:
            return None

    ledger.log_intents(1)
    made = Sink(ledger.log, ledger.table, Full(), HEAD_KEY, lambda: NOW_MS)
    with pytest.raises(LedgerUnavailableError):
        made.step()
    made.close()
    assert drain(ledger.sink()) == 0
    assert ledger.verify() == len(ledger.log.records)


def test_a_second_sink_on_one_table_is_detected(ledger: Ledger) -> None:
    ledger.log_intents(1)
    first = ledger.sink()
    assert first.step() == 9
    ledger.log_intents(1)
    assert ledger.sink().step()
    with pytest.raises(LedgerConflictError, match="one writer"):
        first.step()
    assert ledger.verify() == len(ledger.log.records)


def test_a_late_insert_of_a_dead_sink_is_not_reported_as_taken_over(ledger: Ledger) -> None:
    """It must not end as taken over, or no supervisor would restart it: there is no other sink."""
    ledger.log_intents(1)
    dead, new = ledger.sink(), ledger.sink()
    assert dead.step() == 9
    with pytest.raises(LedgerUnavailableError, match="Start again"):
        new.step()
    ledger.log_intents(1)
    assert drain(ledger.sink())
    assert ledger.verify() == len(ledger.log.records)


def test_a_log_whose_read_part_was_deleted_has_no_gap(ledger: Ledger) -> None:
    ledger.log_intents(3)
    drain(ledger.sink())
    ledger.log.first[Topic.SUBMITTED, 0] = 3
    ledger.log_intents(1)
    assert drain(ledger.sink()) == 8 + 1


def test_a_log_cut_beyond_the_ledger_halts_it_at_the_start(ledger: Ledger) -> None:
    ledger.log_intents(3)
    drain(ledger.sink())
    ledger.log_intents(3)
    ledger.log.first[Topic.SUBMITTED, 0] = 4
    with pytest.raises(LedgerGapError, match=r"intents.submitted/0 .*\b4\b.*\b3\b"):
        ledger.sink()


def test_a_log_cut_while_the_ledger_reads_halts_it_then(ledger: Ledger) -> None:
    ledger.log_intents(3)
    made = ledger.sink()
    drain(made)
    ledger.log_intents(3)
    ledger.log.first[Topic.OUTCOMES, 0] = 5
    with pytest.raises(LedgerGapError, match="outcomes/0"):
        made.step()
    assert ledger.table.tip().rows == 27


def test_a_new_partition_that_has_lost_its_beginning_halts_it(ledger: Ledger) -> None:
    ledger.log_intents(3)
    ledger.log.first[Topic.SUBMITTED, 0] = 1
    with pytest.raises(LedgerGapError, match=r"offset 1\b.*\b0\b"):
        ledger.sink().step()


def test_a_log_older_than_the_ledger_halts_it(ledger: Ledger) -> None:
    """With an old copy of the log, new records would be skipped as already read."""
    ledger.log_intents(3)
    drain(ledger.sink())
    ledger.log.records = ledger.log.records[:9]
    with pytest.raises(LedgerGapError, match="older than the ledger"):
        ledger.sink()


def test_a_head_of_another_key_halts_it(ledger: Ledger) -> None:
    ledger.log_intents(1)
    drain(ledger.sink())
    with pytest.raises(LedgerRewrittenError, match="not signed"):
        ledger.sink(HeadKey(Ed25519Signer("ledger-1", b"o" * 32)))


def test_a_head_of_another_ledger_halts_it(ledger: Ledger, fresh: Callable[[], ClickHouse]) -> None:
    ledger.log_intents(1)
    drain(ledger.sink())
    ledger.table = LedgerTable(ledger.table.clickhouse, "other-org")
    with pytest.raises(LedgerRewrittenError, match=r"acme/main.*other-org/main"):
        ledger.sink()
    ledger.table = LedgerTable(fresh(), ORG)
    with pytest.raises(LedgerRewrittenError, match=r"\b0 rows"):
        ledger.sink()


def test_another_history_under_the_same_numbers_halts_it(
    ledger: Ledger, fresh: Callable[[], ClickHouse]
) -> None:
    ledger.log_intents(2)
    drain(ledger.sink())
    rewritten = [entry_of(record)._replace(at_ms=1) for record in ledger.log.records]
    ledger.table = LedgerTable(fresh(), ORG)
    ledger.table.append(batch_of(ledger.table.tip(), rewritten))
    with pytest.raises(LedgerRewrittenError, match=r"hash .*head"):
        ledger.sink()


def test_records_of_one_partition_keep_their_order_whatever_their_times(ledger: Ledger) -> None:
    times = [500, 100, 300, 200, 400]
    ledger.log.records = [
        Record(Topic.AUDIT, n % 2, n // 2, "", b"%d" % n, at_ms) for n, at_ms in enumerate(times)
    ]
    drain(ledger.sink())
    offsets: dict[int, list[int]] = {0: [], 1: []}
    for row in ledger.table.rows():
        offsets[row.partition].append(row.offset)
    assert offsets == {0: [0, 1, 2], 1: [0, 1]}
    assert ledger.verify() == 5


def test_every_error_belongs_to_the_exception_tree() -> None:
    for kind in (LedgerGapError, LedgerRewrittenError, LedgerConflictError, LedgerUnavailableError):
        assert issubclass(kind, LedgerError)
