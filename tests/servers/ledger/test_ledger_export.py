"""Exports are streamed, cover the period and verify without the ledger."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from schemas.record import Record
from schemas.topics import Topic
from streams.ledger import export as export_module
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.export import Format, export
from streams.ledger.verifier import Row, read_rows, verify
from streams.ledger.verifier.__main__ import main
from tests.harness.builders.ledger import SIGNER_PUBLIC, START_MS, Pipeline, filled, rows_of

RECORDS = Pipeline().run(40)
ROWS = rows_of(RECORDS)
EVER_MS = 2**53
Fresh = Callable[[], ClickHouse]


@pytest.fixture(scope="module")
def clickhouse(fresh: Fresh) -> ClickHouse:
    return filled(fresh(), RECORDS).clickhouse


def exported(
    clickhouse: ClickHouse, form: Format, since_ms: int = 0, until_ms: int = EVER_MS
) -> bytes:
    out = io.BytesIO()
    export(clickhouse, out, form, since_ms, until_ms)
    return out.getvalue()


@pytest.mark.parametrize("form", [Format.CSV, Format.JSONL])
def test_an_export_can_be_read_back_and_verifies(clickhouse: ClickHouse, form: Format) -> None:
    rows = list(read_rows(io.BytesIO(exported(clickhouse, form))))
    assert rows == ROWS
    assert verify(rows, signers=[SIGNER_PUBLIC]).outcomes == 40


def test_parquet_holds_the_same_rows(clickhouse: ClickHouse) -> None:
    table = parquet.read_table(io.BytesIO(exported(clickhouse, Format.PARQUET)))
    rows = [
        Row(
            **raw
            | {
                "prev_hash": bytes.fromhex(raw["prev_hash"][2:]),
                "hash": bytes.fromhex(raw["hash"][2:]),
                "body": raw["body"].encode(),
            }
        )
        for raw in table.to_pylist()
    ]
    assert rows == ROWS


@pytest.mark.parametrize("form", Format)
def test_the_chunk_size_makes_no_difference(
    clickhouse: ClickHouse, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    monkeypatch.setattr(export_module, "PIECE_ROWS", 7)
    steps: list[tuple[int, int]] = []
    out = io.BytesIO()
    count = export(clickhouse, out, form, 0, EVER_MS, lambda a, b: steps.append((a, b)))
    assert count == len(ROWS)
    assert steps[0] == (7, len(ROWS))
    assert steps[-1] == (len(ROWS), len(ROWS))
    if form is not Format.PARQUET:
        assert list(read_rows(io.BytesIO(out.getvalue()))) == ROWS


def test_the_export_of_a_period_verifies(clickhouse: ClickHouse, tmp_path: Path) -> None:
    since_ms, until_ms = START_MS + 10_000, START_MS + 20_000
    raw = exported(clickhouse, Format.JSONL, since_ms, until_ms)
    rows = list(read_rows(io.BytesIO(raw)))
    assert {row.at_ms for row in rows} >= {since_ms, until_ms - 1000}
    assert all(since_ms <= row.at_ms < until_ms for row in rows)
    file = tmp_path / "part.jsonl"
    file.write_bytes(raw)
    assert main([str(file), "--part", "--signer", SIGNER_PUBLIC.hex()]) == 0
    assert main([str(file)]) == 1


@pytest.mark.parametrize(("since_ms", "until_ms"), [(EVER_MS, EVER_MS), (0, 0), (5, 3), (-9, -1)])
@pytest.mark.parametrize("form", Format)
def test_a_period_without_records_is_an_empty_file(
    clickhouse: ClickHouse, form: Format, since_ms: int, until_ms: int
) -> None:
    raw = exported(clickhouse, form, since_ms, until_ms)
    if form is Format.PARQUET:
        assert parquet.read_table(io.BytesIO(raw)).num_rows == 0
    else:
        assert list(read_rows(io.BytesIO(raw))) == []


def test_records_with_decreasing_times_leave_no_gap(fresh: Fresh) -> None:
    """The log's clock stepped back: no row between the period's records is missing."""
    times = [10, 50, 20, 30, 90]
    records = [Record(Topic.AUDIT, 0, n, "", b"%d" % n, at_ms) for n, at_ms in enumerate(times)]
    clickhouse = filled(fresh(), records).clickhouse
    rows = list(read_rows(io.BytesIO(exported(clickhouse, Format.JSONL, 10, 40))))
    assert [row.seq for row in rows] == [0, 1, 2, 3]


def test_lines_are_json_with_plain_numbers_and_hex(clickhouse: ClickHouse) -> None:
    first = json.loads(exported(clickhouse, Format.JSONL).splitlines()[0])
    assert list(first) == list(Row._fields)
    assert (first["seq"], first["prev_hash"]) == (0, "0x" + "00" * 32)
    assert isinstance(first["at_ms"], int)


def test_hostile_bytes_export_as_their_digests(fresh: Fresh) -> None:
    values = [b"\xff\x00", b'"a","b"\r\n', b"=1+1", "\u2028".encode()]
    records = [Record(Topic.AUDIT, 0, n, 'a","b', value, n) for n, value in enumerate(values)]
    clickhouse = filled(fresh(), records).clickhouse
    for form in (Format.CSV, Format.JSONL):
        assert list(read_rows(io.BytesIO(exported(clickhouse, form)))) == rows_of(records)


def test_a_full_disk_passes_through(clickhouse: ClickHouse) -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        export(clickhouse, Full(), Format.CSV, 0, EVER_MS)
