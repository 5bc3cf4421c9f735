"""SIGKILL at any moment of an append: what was acknowledged is there, and the chain goes on."""

import os
import random  # noqa: TID251 - seeded below, so that a failure can be repeated
import shutil
import time
from pathlib import Path

from streams.ledger.clickhouse import ClickHouse
from streams.ledger.heads import HeadFile
from streams.ledger.table import LedgerTable
from streams.ledger.verifier import verify as verify_rows
from streams.ledger.verify_sql import verify
from tests.support.ledger import HEAD_KEY, ORG, SIGNER_PUBLIC, Pipeline, rows_of
from tests.support.ledger_process import DONE, LedgerProcess

KILLS = int(os.environ.get("SIXGATE_LEDGER_KILLS", "12"))
INTENTS = 60


def check(folder: Path) -> int:
    """Verify from outside with both verifiers, against every head, and return the rows."""
    clickhouse = ClickHouse.embedded(folder / "ledger")
    try:
        heads = [HEAD_KEY.open(head) for head in HeadFile(folder / "heads.jsonl").heads()]
        rows = verify(clickhouse, heads).rows
        hashes = {head.sequence: bytes.fromhex(head.hash[2:]) for head in heads}
        table = LedgerTable(clickhouse, ORG)
        report = verify_rows(table.rows(), hashes, [SIGNER_PUBLIC])  # type: ignore[arg-type]  # the same fields
        assert report.rows == rows
        return rows
    finally:
        clickhouse.close()


def test_kills_lose_nothing_double_nothing_and_the_chain_goes_on(tmp_path: Path) -> None:
    records = Pipeline().run(INTENTS)
    chance = random.Random(4)  # noqa: S311 - when to kill, nothing secret
    rows = 0
    for kill in range(KILLS):
        child = LedgerProcess(tmp_path, INTENTS)
        child.wait_until_open()
        time.sleep(chance.uniform(0, 0.3))
        acknowledged = child.kill()
        before, rows = rows, check(tmp_path)
        assert rows >= before + acknowledged, "an acknowledged row is gone"
        if rows == len(records):
            start_anew(tmp_path, kill)
            rows = 0
    assert LedgerProcess(tmp_path, INTENTS).finish() == DONE
    assert check(tmp_path) == len(records)
    assert sorted(stored_ids(tmp_path)) == sorted(row.event_id for row in rows_of(records))


def test_a_ledger_put_back_from_an_older_copy_is_noticed(tmp_path: Path) -> None:
    assert LedgerProcess(tmp_path, 5).finish() == DONE
    shutil.copytree(tmp_path / "ledger", tmp_path / "older", symlinks=True)
    assert LedgerProcess(tmp_path, 10).finish() == DONE
    shutil.rmtree(tmp_path / "ledger")
    (tmp_path / "older").rename(tmp_path / "ledger")
    said = LedgerProcess(tmp_path, 10).finish()
    assert said.startswith("LedgerRewritten: Row 87 was published and is missing")


def start_anew(folder: Path, kill: int) -> None:
    (folder / "ledger").rename(folder / f"ledger-{kill}")
    (folder / "heads.jsonl").unlink()


def stored_ids(folder: Path) -> list[str]:
    clickhouse = ClickHouse.embedded(folder / "ledger")
    try:
        return [row.event_id for row in LedgerTable(clickhouse, ORG).rows()]
    finally:
        clickhouse.close()
