"""Ledger commands: verify, head, sql and export."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from streams.ledger.embedded import open_folder
from tests.harness.cli.command_line import CommandLine, served
from tests.harness.cli.intents import INTENT


@pytest.fixture(scope="module")
def written(organisation: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Make a folder with intents in its ledger; tests that change it work on copies."""
    cli = organisation.copy(tmp_path_factory.mktemp("written") / "data")
    cli.submit(INTENT, INTENT | {"value": "5"})
    return cli


@pytest.fixture(scope="module")
def readable(
    written: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CommandLine]:
    with served(written.copy(tmp_path_factory.mktemp("readable") / "data")) as running:
        yield running


def test_a_ledger_verifies_against_a_saved_head(written: CommandLine, tmp_path: Path) -> None:
    cli, head = written.copy(tmp_path / "data"), tmp_path / "head.json"
    cli.ok("ledger", "head", "--out", str(head))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    cli.submit(INTENT)
    before = json.loads(head.read_text())["head"]["sequence"]
    found = cli.ok("ledger", "verify", "--head", str(head), "--json").json
    assert (found["rows"] > before + 1, found["remembered"]) == (True, before)
    shown = cli.ok("ledger", "verify", "--head", str(head)).out
    assert f"row {before} " in shown


def test_an_export_verifies_without_a_data_folder(written: CommandLine, tmp_path: Path) -> None:
    rows, head = tmp_path / "export.jsonl", tmp_path / "head.json"
    written.ok("ledger", "export", str(rows), "--since", "2020-01-01")
    written.ok("ledger", "head", "--out", str(head))
    verifier = [sys.executable, "-m", "streams.ledger.verifier", str(rows), "--head", str(head)]
    done = subprocess.run(verifier, capture_output=True, text=True, check=False)
    assert (done.returncode, "1 remembered head" in done.stdout) == (0, True)
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[:-1]))
    cut = subprocess.run(verifier, capture_output=True, text=True, check=False)
    assert (cut.returncode, cut.stderr.startswith("FAULT.")) == (1, True)


def test_a_truncated_ledger_does_not_verify_against_a_saved_head(
    written: CommandLine, tmp_path: Path
) -> None:
    older, head = written.copy(tmp_path / "older"), tmp_path / "head.json"
    newer = written.copy(tmp_path / "newer")
    newer.submit(INTENT)
    newer.ok("ledger", "head", "--out", str(head))
    ended = older.run("ledger", "verify", "--head", str(head))
    assert ended.code == 8
    assert ended.sentence


def test_one_changed_byte_is_found_and_its_row_named(written: CommandLine, tmp_path: Path) -> None:
    cli = written.copy(tmp_path / "data")
    (seq,) = cli.ok(
        "ledger", "sql", "SELECT min(seq) FROM ledger WHERE topic = 'outcomes'", "--json"
    ).json["rows"][0]
    engine = open_folder(cli.data / "ledger")
    engine.command(
        "ALTER TABLE ledger UPDATE body = replaceOne(body, 'treasury', 'treasurx') "
        f"WHERE seq = {seq} SETTINGS mutations_sync = 2"
    )
    engine.close()
    ended = cli.run("ledger", "verify")
    assert ended.code == 8
    assert re.search(rf"\b{seq}\b", ended.sentence)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"envelope": {}}', '{"envelope": 1}', "\x00"])
def test_a_file_without_a_head_is_refused(
    readable: CommandLine, tmp_path: Path, content: str
) -> None:
    head = tmp_path / "head.json"
    head.write_text(content)
    ended = readable.run("ledger", "verify", "--head", str(head))
    assert ended.code == 2
    assert ended.sentence


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_export_holds_every_row(readable: CommandLine, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"rows.{form}"
    done = readable.ok("ledger", "export", str(file), "--json").json
    if form == "csv":
        with file.open(newline="") as table:
            count = len(list(csv.DictReader(table)))
    elif form == "jsonl":
        count = len([json.loads(line) for line in file.read_text().splitlines()])
    else:
        count = pq.read_table(file).num_rows
    assert count == done["rows"] > 10
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_an_export_respects_its_period(readable: CommandLine, tmp_path: Path) -> None:
    file = str(tmp_path / "rows.jsonl")
    past = ("--since", "2020-01-01", "--until", "2020-02-01")
    assert readable.ok("ledger", "export", file, *past, "--json").json["rows"] == 0
    taken = readable.run("ledger", "export", file)
    assert taken.code == 5
    assert "--force" in taken.sentence
    assert readable.ok("ledger", "export", file, "--force", "--json").json["rows"] > 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("rows.txt", 2),
        ("rows.csv --since 2026-02-01 --until 2026-01-01", 2),
        ("rows.csv --since yesterday", 2),
        ("missing/rows.csv", 5),
    ],
)
def test_a_wrong_export_is_refused_and_leaves_no_file(
    readable: CommandLine, tmp_path: Path, words: str, code: int
) -> None:
    name, *rest = words.split()
    ended = readable.run("ledger", "export", str(tmp_path / name), *rest)
    assert (ended.code, bool(ended.sentence)) == (code, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", ["head --out", "export --format csv --force"], ids=["head", "export"]
)
def test_a_file_in_the_data_folder_is_not_overwritten(
    readable: CommandLine, tmp_path: Path, words: str
) -> None:
    root = readable.data / "keys" / "root.key"
    (tmp_path / "link").symlink_to(readable.data)
    before = root.read_bytes()
    for name in (root, tmp_path / "link" / "keys" / "root.key"):
        ended = readable.run("ledger", *words.split(), str(name))
        assert (ended.code, str(name) in ended.sentence) == (5, True)
    assert root.read_bytes() == before


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO ledger SELECT * FROM ledger",
        "ALTER TABLE ledger DELETE WHERE 1",
        "DROP TABLE ledger",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')",
        "SELECT 1 INTO OUTFILE '/tmp/sixgate-outfile'",
        "SELECT 1; DROP TABLE ledger",
        "SELEC 1",
        "",
    ],
)
def test_sql_only_reads(readable: CommandLine, query: str) -> None:
    ended = readable.run("ledger", "sql", query)
    assert (ended.code, bool(ended.sentence)) == (10, True)


def test_sql_queries_return_rows(readable: CommandLine) -> None:
    query = "SELECT outcome, count() AS n FROM intents GROUP BY outcome ORDER BY outcome"
    found = readable.ok("ledger", "sql", query, "--json").json
    assert found["columns"] == ["outcome", "n"]
    assert [row[0] for row in found["rows"]] == ["intent.rejected", "transaction.signed"]


def test_a_wide_result_has_a_line_for_each_field(readable: CommandLine) -> None:
    query = "SELECT * FROM ledger ORDER BY seq LIMIT 2"
    shown = readable.ok("ledger", "sql", query).out
    assert "— row 2" in shown
    assert len([line for line in shown.splitlines() if line.startswith("topic ")]) == 2
    assert "— row" not in readable.ok("ledger", "sql", "SELECT 1 AS a, 2 AS b").out
