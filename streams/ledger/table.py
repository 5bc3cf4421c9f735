"""The ledger's table: one writer appends batches and reads the end of the chain back.

1. Compare: the chain must end at the batch's base.
2. Insert the batch as one block, under a deduplication token made of its place in the chain.
   *If the process ends during this, the batch is stored as a whole or not at all.*
3. Read back: only the table says whether the batch is stored, not the answer of the insert.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from schemas.record import PartitionId
from schemas.topics import Topic
from streams.ledger.chain import EMPTY, Entry, Tip, hashes
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerConflictError, LedgerUnavailableError

SCAN_ROWS = 50_000
# Each failed attempt means one engine that died between writing a token and writing its part.
ATTEMPTS_MAX = 16

_ARROW = pa.schema([
    ("seq", pa.uint64()),
    ("prev_hash", pa.binary(32)),
    ("hash", pa.binary(32)),
    ("topic", pa.string()),
    ("partition", pa.uint32()),
    ("offset", pa.uint64()),
    ("key", pa.string()),
    ("at_ms", pa.uint64()),
    ("event_id", pa.string()),
    ("body", pa.binary()),
])  # fmt: skip


# The same columns with the engine's types.
COLUMNS = {
    "seq": "UInt64",
    "prev_hash": "FixedString(32)",
    "hash": "FixedString(32)",
    "topic": "String",
    "partition": "UInt32",
    "offset": "UInt64",
    "key": "String",
    "at_ms": "UInt64",
    "event_id": "String",
    "body": "String",
}
_ROWS = """
SELECT seq, prev_hash, hash, topic, partition, offset, key, at_ms, event_id, body
FROM ledger WHERE seq >= {first:UInt64} AND seq <= {last:UInt64} ORDER BY seq
"""
_PIECE_END = """
SELECT maxOrNull(seq) FROM (
    SELECT seq FROM ledger WHERE seq >= {first:UInt64} AND seq <= {last:UInt64} ORDER BY seq
    LIMIT {rows:UInt64}
)
"""
# Bodies resemble each other: compressing costs less than moving the bytes.
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


class Row(NamedTuple):
    """A stored row; hashes are 32 bytes, ``body`` is canonical bytes."""

    seq: int
    prev_hash: bytes
    hash: bytes
    topic: str
    partition: int
    offset: int
    key: str
    at_ms: int
    event_id: str
    body: bytes


class Batch(NamedTuple):
    """Rows ready to be appended to a chain that ends at ``base``, as an Arrow stream."""

    base: Tip
    tip: Tip
    stream: pa.Buffer


def batch_of(base: Tip, entries: Sequence[Entry]) -> Batch:
    """Chain ``entries`` (at least one, within one table partition) on to ``base``."""
    chained = hashes(base, entries)
    columns: list[Any] = [
        range(base.rows, base.rows + len(chained)),
        [base.hash, *chained[:-1]],
        chained,
        *zip(*entries, strict=True),
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _ARROW, strict=True)]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _ARROW, options=_COMPRESSED) as stream:
        stream.write_batch(pa.record_batch(arrays, schema=_ARROW))
    return Batch(base, Tip(base.rows + len(chained), chained[-1]), sink.getvalue())


class LedgerTable:
    """The table of one chain. Any process may read, only one may append."""

    def __init__(self, clickhouse: ClickHouse, org: str, chain: str = "main") -> None:
        self.clickhouse = clickhouse
        self.org = org
        self.chain = chain

    def tip(self) -> Tip:
        """Return the end of the chain."""
        newest = self.clickhouse.rows("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1")
        return Tip(newest[0][0] + 1, newest[0][1]) if newest else EMPTY

    def row_count(self) -> int:
        """Return the number of stored rows, whatever their row numbers."""
        return int(self.clickhouse.rows("SELECT count() FROM ledger")[0][0])

    def hash_at(self, seq: int) -> bytes | None:
        """Return the hash of one row; None if there is no such row."""
        found = self.clickhouse.rows("SELECT hash FROM ledger WHERE seq = {n:UInt64}", {"n": seq})
        return bytes(found[0][0]) if found else None

    def positions(self) -> dict[PartitionId, int]:
        """Return the next offset to read, for every partition that has rows."""
        ends = self.clickhouse.rows(
            "SELECT topic, partition, max(offset) FROM ledger GROUP BY topic, partition"
        )
        return {(Topic(topic), partition): offset + 1 for topic, partition, offset in ends}

    def append(self, batch: Batch) -> None:
        """Append a batch if the chain still ends at its base (steps 1 to 3).

        A server compares again when it executes the insert, so a delayed insert is rejected if the
        chain has grown. Of two simultaneous inserts the engine drops the later one, because both
        have the same token. A lost answer is settled by reading back. Raises
        ``LedgerConflictError`` if the chain ends elsewhere, ``LedgerUnavailableError`` if the batch
        is not stored: start again from the table's own end.
        """
        # 1. A server repeats this check when it executes the insert. An embedded engine need not:
        # its folder belongs to one process.
        if self.tip() != batch.base:
            raise _conflict(batch)
        for attempt in range(ATTEMPTS_MAX):
            # 2. If the process ends here, the next start finds the batch in the table, or not.
            self._insert(batch, attempt)
            # 3. Stored; or another writer's batch is there; or dropped as a duplicate: retry.
            tip = self.tip()
            if tip == batch.tip:
                return
            if tip != batch.base:
                raise _conflict(batch)
        raise LedgerUnavailableError(
            f"The ledger's engine accepted {ATTEMPTS_MAX} inserts of one batch but stored nothing: "
            "check its log and start again."
        )

    def _insert(self, batch: Batch, attempt: int) -> None:
        """Insert under a token made of the batch's place and, after the first, the attempt.

        The engine stores a token before its part. If it dies in between, it drops every later
        insert under that token. A living engine locks both, so if an insert is dropped while the
        chain still ends at the base, there is no other writer and the next token is safe to use.
        """
        token = f"{self.chain}/{batch.base.rows}" + (f"/{attempt}" if attempt else "")
        stream = pa.BufferReader(batch.stream)
        try:
            self.clickhouse.insert_arrow("ledger", COLUMNS, stream, token, ends_at(batch.base))
        except LedgerUnavailableError:
            if self.tip() == batch.base:
                raise

    def rows(self, first: int = 0, stop: int | None = None) -> Iterator[Row]:
        """Yield the rows ``first`` to ``stop`` (excluded) in order, reading bounded pieces."""
        last = self.tip().rows - 1 if stop is None else stop - 1
        for piece in pieces(self.clickhouse, first, last, SCAN_ROWS):
            for row in self.clickhouse.rows(_ROWS, piece):
                yield Row._make((*row[:9], row[9].encode()))


def pieces(clickhouse: ClickHouse, first: int, last: int, rows: int) -> Iterator[dict[str, int]]:
    """Yield ranges, ``first`` and ``last`` included, that hold about ``rows`` stored rows each.

    They follow the stored rows: gaps cost nothing, and two rows with one number are in one range.
    """
    while first <= last:
        parameters = {"first": first, "last": last, "rows": rows}
        ((end,),) = clickhouse.rows(_PIECE_END, parameters)
        if end is None:
            return
        yield {"first": first, "last": end}
        first = end + 1


def ends_at(tip: Tip) -> str:
    """Return the SQL condition that the chain ends at ``tip``."""
    if tip == EMPTY:
        return "NOT EXISTS (SELECT 1 FROM ledger)"
    last = f"({tip.rows - 1}, unhex('{tip.hash.hex()}'))"
    return f"(SELECT (seq, hash) FROM ledger ORDER BY seq DESC LIMIT 1) = {last}"  # noqa: S608 - built from a number and a hash


def _conflict(batch: Batch) -> LedgerConflictError:
    return LedgerConflictError(
        f"The ledger no longer ends at row {batch.base.rows - 1}: another process appends to it, "
        "but only one writer is allowed."
    )
