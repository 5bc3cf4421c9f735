"""Export of ledger rows as CSV, JSON lines or Parquet, in pieces of bounded memory.

An export can be verified on its own (``verifier/``): it is the shortest gapless run of rows that
contains every record of the period. Hashes are 0x hex; ``body`` is canonical JSON text.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import IO

import pyarrow as pa
from pyarrow import parquet

from streams.ledger.clickhouse import ClickHouse
from streams.ledger.table import pieces

PIECE_ROWS = 50_000

Progress = Callable[[int, int], None]

_ROWS = """
SELECT seq, concat('0x', lower(hex(prev_hash))) AS prev_hash,
    concat('0x', lower(hex(hash))) AS hash, toString(topic) AS topic, partition, offset,
    toString(key) AS key, at_ms, event_id, body
FROM ledger WHERE seq >= {first:UInt64} AND seq <= {last:UInt64} ORDER BY seq
"""
_RUN = """
SELECT minIfOrNull(seq, within), maxIfOrNull(seq, within)
FROM (SELECT seq, at_ms >= {since:UInt64} AND at_ms < {until:UInt64} AS within FROM ledger)
"""
_COUNT = "SELECT count() FROM ledger WHERE seq >= {first:UInt64} AND seq <= {last:UInt64}"
_COLUMNS = pa.schema([
    ("seq", pa.uint64()),
    ("prev_hash", pa.string()),
    ("hash", pa.string()),
    ("topic", pa.string()),
    ("partition", pa.uint32()),
    ("offset", pa.uint64()),
    ("key", pa.string()),
    ("at_ms", pa.uint64()),
    ("event_id", pa.string()),
    ("body", pa.string()),
])  # fmt: skip


class Format(StrEnum):
    """File formats of an export."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


_ENGINE_FORMAT = {Format.CSV: "CSV", Format.JSONL: "JSONEachRow", Format.PARQUET: "ArrowStream"}


def export(
    clickhouse: ClickHouse,
    out: IO[bytes],
    form: Format,
    since_ms: int,
    until_ms: int,
    progress: Progress = lambda _done, _total: None,
) -> int:
    """Write the rows of a period, ``until_ms`` excluded, and return their number.

    Raises ``LedgerUnavailableError``, and the errors of writing to ``out``.
    """
    period = {"since": max(0, since_ms), "until": max(0, until_ms)}
    ((first, last),) = clickhouse.rows(_RUN, period)
    run = {"first": 1, "last": 0} if first is None else {"first": first, "last": last}
    texts = _texts(clickhouse, form, run, progress)
    if form is Format.PARQUET:
        _write_parquet(texts, out)
    else:
        _write_text(texts, out, form)
    return int(clickhouse.rows(_COUNT, run)[0][0])


def _texts(
    clickhouse: ClickHouse, form: Format, run: dict[str, int], progress: Progress
) -> Iterator[bytes]:
    """Yield the run's rows in the engine's format, a piece at a time."""
    first, last = run["first"], run["last"]
    for piece in pieces(clickhouse, first, last, PIECE_ROWS):
        yield clickhouse.formatted(_ROWS, _ENGINE_FORMAT[form], piece)
        progress(piece["last"] + 1 - first, last + 1 - first)


def _write_text(texts: Iterable[bytes], out: IO[bytes], form: Format) -> None:
    if form is Format.CSV:
        out.write(",".join(_COLUMNS.names).encode() + b"\n")
    for text in texts:
        out.write(text)


def _write_parquet(texts: Iterable[bytes], out: IO[bytes]) -> None:
    with parquet.ParquetWriter(out, _COLUMNS, compression="zstd") as writer:
        for piece in texts:
            writer.write_table(pa.ipc.open_stream(piece).read_all().cast(_COLUMNS))
