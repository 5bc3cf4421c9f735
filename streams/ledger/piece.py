"""Verifies order and content of one piece of the ledger inside the database. Only reads."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NamedTuple

from streams.ledger.chain import Tip
from streams.ledger.clickhouse import ClickHouse, Settings
from streams.ledger.derived import PIECE, expressions, first_faults_sql
from streams.ledger.verifier import faults

Ends = dict[tuple[str, int], int]

# Caches and projections are copies; verification must read the rows themselves. Every condition is
# needed for every row, so lazy evaluation would only add cost.
SETTINGS: Settings = {
    "use_query_condition_cache": 0,
    "optimize_use_projections": 0,
    "short_circuit_function_evaluation": "disable",
}
_LINKS = f"""
SELECT seq, expected FROM (
    SELECT seq, prev_hash,
        lagInFrame(seq + 1, 1, {{first:UInt64}}) OVER one AS expected,
        lagInFrame(hash, 1, toFixedString(unhex({{hash:String}}), 32)) OVER one AS previous
    {PIECE}
    WINDOW one AS (ORDER BY seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
) WHERE seq != expected OR prev_hash != previous ORDER BY seq LIMIT 1
"""  # noqa: S608 - built from constants
_PLACES = f"""
SELECT topic, partition, min(seq), argMin(offset, seq), max(offset),
    minIfOrNull(seq, offset <= former)
FROM (
    SELECT topic, partition, seq, offset,
        lagInFrame(toNullable(offset), 1, NULL) OVER place AS former
    {PIECE}
    WINDOW place AS (
        PARTITION BY topic, partition ORDER BY seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
    )
) GROUP BY topic, partition
"""  # noqa: S608


class Check(IntEnum):
    """Order in which a row's faults are reported, the same as in the stand-alone verifier."""

    NUMBER = 1
    HASH = 2
    LINK = 3
    OFFSET = 4
    DERIVED = 5


class Finding(NamedTuple):
    """A bad row; findings sort by row, then check."""

    seq: int
    check: Check
    what: str


class Piece:
    """The rows after ``tip`` up to number ``last``, included."""

    def __init__(self, clickhouse: ClickHouse, table: str, tip: Tip, last: int) -> None:
        self._clickhouse = clickhouse
        self._last = last
        self._places: dict[str, int | str] = {
            "table": table, "first": tip.rows, "last": last, "hash": tip.hash.hex(),
        }  # fmt: skip

    def content_faults(self) -> list[Finding]:
        """Return the first row with a wrong hash, and per derived column the first wrong row."""
        (firsts,) = self._rows(first_faults_sql())
        columns = ("hash", "event_id", *expressions().stored)
        return [
            _content_finding(column, seq)
            for column, seq in zip(columns, firsts, strict=True)
            if seq is not None
        ]

    def order_faults(self, ends: Ends) -> Iterator[Finding]:
        """Yield the first wrong number or link, and wrong offsets; update ``ends``.

        ``ends`` maps each partition to the highest offset so far.
        """
        for seq, expected in self._rows(_LINKS):
            yield _link_finding(seq, expected)
        for topic, partition, seq, offset, end, lower in self._rows(_PLACES):
            if offset <= ends.get((topic, partition), -1):
                yield Finding(seq, Check.OFFSET, faults.OFFSET)
            if lower is not None:
                yield Finding(lower, Check.OFFSET, faults.OFFSET)
            ends[topic, partition] = end

    def tip(self) -> Tip:
        """Return the end of the chain after this piece; valid only if it has no fault."""
        sql = "SELECT hash FROM {table:Identifier} WHERE seq = {last:UInt64}"
        return Tip(self._last + 1, self._rows(sql)[0][0])

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._clickhouse.rows(sql, self._places, SETTINGS)


def _link_finding(seq: int, expected: int) -> Finding:
    if seq > expected:
        return Finding(expected, Check.NUMBER, faults.missing(seq))
    if seq < expected:
        return Finding(seq, Check.NUMBER, "there is a second row with this number")
    return Finding(seq, Check.LINK, faults.LINK)


def _content_finding(column: str, seq: int) -> Finding:
    if column == "hash":
        return Finding(seq, Check.HASH, faults.HASH)
    return Finding(seq, Check.DERIVED, f"its column {column} does not match its body")
