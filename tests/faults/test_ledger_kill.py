"""SIGKILLs during appends: acknowledged rows survive and the chain continues."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from streams.ledger.chain import EMPTY
from streams.ledger.embedded import open_folder
from streams.ledger.entry import entry_of
from streams.ledger.heads import HeadFile
from streams.ledger.migrations import migrate
from streams.ledger.table import COLUMNS, LedgerTable, batch_of, ends_at
from streams.ledger.verifier import verify as verify_rows
from streams.ledger.verify_sql import verify
from tests.harness.builders.ledger import HEAD_KEY, ORG, SIGNER_PUBLIC, Pipeline, rows_of
from tests.harness.pipeline.ledger_process import DONE, LedgerProcess
from tests.harness.sizes import LEDGER_KILLS, drawn, show

INTENTS = 60
LIFE_MS_MAX = 300


def check(folder: Path) -> int:
    """Verify with both verifiers against every head; return the rows."""
    with ledger_in(folder / "ledger") as table:
        heads = [HEAD_KEY.open(head) for head in HeadFile(folder / "heads.jsonl").heads()]
        rows = verify(table.clickhouse, heads).rows
        hashes = {head.sequence: bytes.fromhex(head.hash[2:]) for head in heads}
        report = verify_rows(table.rows(), hashes, [SIGNER_PUBLIC])  # type: ignore[arg-type]  # the same fields
        assert report.rows == rows
        return rows


def test_kills_lose_and_duplicate_nothing_and_the_chain_continues(tmp_path: Path) -> None:
    records = Pipeline().run(INTENTS)
    rows = 0
    for kill in range(LEDGER_KILLS):
        child = LedgerProcess(tmp_path, INTENTS)
        child.wait_until_open()
        # The kill comes at a random moment of the append.
        time.sleep(drawn(f"ledger-{kill}", LIFE_MS_MAX) / 1000)
        acknowledged = child.kill()
        show(kill + 1, LEDGER_KILLS, "killed")
        before, rows = rows, check(tmp_path)
        assert rows >= before + acknowledged, "an acknowledged row is gone"
        if rows == len(records):
            start_anew(tmp_path, kill)
            rows = 0
    assert LedgerProcess(tmp_path, INTENTS).finish() == DONE
    assert check(tmp_path) == len(records)
    assert sorted(stored_ids(tmp_path)) == sorted(row.event_id for row in rows_of(records))


def test_a_ledger_restored_from_an_older_copy_is_detected(tmp_path: Path) -> None:
    assert LedgerProcess(tmp_path, 5).finish() == DONE
    shutil.copytree(tmp_path / "ledger", tmp_path / "older", symlinks=True)
    assert LedgerProcess(tmp_path, 10).finish() == DONE
    shutil.rmtree(tmp_path / "ledger")
    (tmp_path / "older").rename(tmp_path / "ledger")
    said = LedgerProcess(tmp_path, 10).finish()
    assert said.startswith("LedgerRewrittenError: Row 87 is missing")


def test_tokens_used_by_killed_engines_block_no_insert(tmp_path: Path) -> None:
    """Killed twice between token and part: the engine's log has the tokens, no disk the rows."""
    records = Pipeline().run(3)
    entries = [entry_of(record) for record in records]
    with ledger_in(tmp_path / "spent") as spent:
        for token in ("main/0", "main/0/1"):
            batch = batch_of(spent.tip(), entries[:1])
            stream = pa.BufferReader(batch.stream)
            spent.clickhouse.insert_arrow("ledger", COLUMNS, stream, token, ends_at(batch.base))
        assert spent.row_count() == 2
    with ledger_in(tmp_path / "killed"):
        pass
    shutil.copytree(tokens(tmp_path / "spent"), tokens(tmp_path / "killed"), dirs_exist_ok=True)
    with ledger_in(tmp_path / "killed") as killed:
        killed.append(batch_of(EMPTY, entries))
        assert verify(killed.clickhouse).rows == killed.row_count() == len(records)


@contextmanager
def ledger_in(folder: Path) -> Iterator[LedgerTable]:
    clickhouse = open_folder(folder)
    try:
        migrate(clickhouse)
        yield LedgerTable(clickhouse, ORG)
    finally:
        clickhouse.close()


def tokens(folder: Path) -> Path:
    (found,) = folder.glob("store/*/*/deduplication_logs")
    return found


def start_anew(folder: Path, kill: int) -> None:
    (folder / "ledger").rename(folder / f"ledger-{kill}")
    (folder / "heads.jsonl").unlink()


def stored_ids(folder: Path) -> list[str]:
    with ledger_in(folder / "ledger") as table:
        return [row.event_id for row in table.rows()]
