"""Verification inside the database: fast, over the whole table, in pieces of bounded memory.

The expressions come from the DDL file, not from the table, whose definition may be changed too.
``verifier/`` is the independent second opinion.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from enum import IntEnum
from functools import cache
from typing import Any, NamedTuple

from schemas.heads import LedgerHead
from streams.ledger.chain import EMPTY, Tip
from streams.ledger.clickhouse import ClickHouse, Settings
from streams.ledger.errors import LedgerFault
from streams.ledger.migrations import migrations

PIECE_ROWS = 500_000
HEADS_PER_QUERY = 10_000

Progress = Callable[[int, int], None]
Ends = dict[tuple[str, int], int]

# Answers out of caches and projections would be about other bytes than the rows'. Every condition
# is wanted for every row: deciding what to skip would cost more than it saves.
_SETTINGS: Settings = {
    "use_query_condition_cache": 0,
    "optimize_use_projections": 0,
    "short_circuit_function_evaluation": "disable",
}
_COLUMN = re.compile(r"(?m)^    `?(\w+)`? .* (?:ALIAS|MATERIALIZED) (.*?)(?: CODEC\(.*\))?,$")
_CHECK = re.compile(r"(?m)^    CONSTRAINT chained CHECK hash = (.*),$")
_HELPERS = ("doc", "payload", "facts")
_UNSTORED = {*_HELPERS, "at"}
_OFFSET = "its offset is not above the former one of its partition"
_PIECE = "FROM {table:Identifier} WHERE seq >= {first:UInt64} AND seq <= {last:UInt64}"
_LINKS = f"""
SELECT seq, expected FROM (
    SELECT seq, prev_hash,
        lagInFrame(seq + 1, 1, {{first:UInt64}}) OVER one AS expected,
        lagInFrame(hash, 1, toFixedString(unhex({{hash:String}}), 32)) OVER one AS previous
    {_PIECE}
    WINDOW one AS (ORDER BY seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
) WHERE seq != expected OR prev_hash != previous ORDER BY seq LIMIT 1
"""  # noqa: S608 - only our own constants are put together
_PLACES = f"""
SELECT topic, partition, min(seq), argMin(offset, seq), max(offset),
    minIfOrNull(seq, offset <= former)
FROM (
    SELECT topic, partition, seq, offset,
        lagInFrame(toNullable(offset), 1, NULL) OVER place AS former
    {_PIECE}
    WINDOW place AS (
        PARTITION BY topic, partition ORDER BY seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW
    )
) GROUP BY topic, partition
"""  # noqa: S608
_LAST = """
SELECT maxOrNull(seq) FROM {table:Identifier}
WHERE seq >= {first:UInt64} AND seq < {first:UInt64} + {rows:UInt64}
"""
_NEXT = "SELECT minOrNull(seq) FROM {table:Identifier} WHERE seq >= {first:UInt64}"
_HASHES = "SELECT seq, hash FROM {table:Identifier} WHERE seq IN {numbers:Array(UInt64)}"


class Verified(NamedTuple):
    """What was found in order: ``rows`` rows, the last with ``hash``."""

    rows: int
    hash: str


def verify(
    clickhouse: ClickHouse,
    remembered: Sequence[LedgerHead] = (),
    progress: Progress = lambda _done, _total: None,
    table: str = "ledger",
) -> Verified:
    """Check every row of the table, and that every remembered head is in it.

    Of each row: its number follows the one before, its link is the former hash, its hash is of
    its content, its offset is above the former one of its partition, its event id and its
    materialized columns are what the body says. Raises ``LedgerFault`` naming the first bad row,
    ``LedgerUnavailable`` if the engine cannot read its own files.
    """
    total = clickhouse.rows("SELECT count() FROM {t:Identifier}", {"t": table}, _SETTINGS)[0][0]
    tip, ends = EMPTY, Ends()
    with closing(clickhouse.another()) as beside, ThreadPoolExecutor(1, "verify") as executor:
        while (last := _last_of_piece(clickhouse, table, tip)) is not None:
            piece = _Piece(clickhouse, table, tip, last)
            content = executor.submit(_Piece(beside, table, tip, last).content_faults)
            faults = [*piece.order_faults(ends), *content.result()]
            if faults:
                first = min(faults)
                raise LedgerFault(first.seq, first.what)
            tip = piece.tip()
            progress(tip.rows, total)
    _refuse_other_heads(clickhouse, table, remembered)
    return Verified(tip.rows, "0x" + tip.hash.hex())


def _last_of_piece(clickhouse: ClickHouse, table: str, tip: Tip) -> int | None:
    """Return the last number of the next rows that there are; None behind the last row."""
    wanted = {"table": table, "first": tip.rows, "rows": PIECE_ROWS}
    for sql in (_LAST, _NEXT):
        ((last,),) = clickhouse.rows(sql, wanted, _SETTINGS)
        if last is not None:
            return int(last)
    return None


class _Check(IntEnum):
    """What is said first of a row with several faults, as the verifier in Python does."""

    NUMBER = 1
    HASH = 2
    LINK = 3
    OFFSET = 4
    DERIVED = 5


class _Finding(NamedTuple):
    """A bad row; findings sort by row, then check."""

    seq: int
    check: _Check
    what: str


class _Piece:
    """The rows from ``tip`` on up to number ``last``."""

    def __init__(self, clickhouse: ClickHouse, table: str, tip: Tip, last: int) -> None:
        self._clickhouse = clickhouse
        self._last = last
        self._places: dict[str, int | str] = {
            "table": table, "first": tip.rows, "last": last, "hash": tip.hash.hex(),
        }  # fmt: skip

    def content_faults(self) -> list[_Finding]:
        """Find the first row whose hash, and the first whose each derived column, is wrong."""
        (firsts,) = self._rows(_content())
        columns = ("hash", "event_id", *_expressions().stored)
        return [
            _content_finding(column, seq)
            for column, seq in zip(columns, firsts, strict=True)
            if seq is not None
        ]

    def order_faults(self, ends: Ends) -> Iterator[_Finding]:
        """Yield the first wrong number or link, and wrong offsets; carry ``ends`` forward."""
        for seq, expected in self._rows(_LINKS):
            yield _link_finding(seq, expected)
        for topic, partition, seq, offset, end, lower in self._rows(_PLACES):
            if offset <= ends.get((topic, partition), -1):
                yield _Finding(seq, _Check.OFFSET, _OFFSET)
            if lower is not None:
                yield _Finding(lower, _Check.OFFSET, _OFFSET)
            ends[topic, partition] = end

    def tip(self) -> Tip:
        """Return where the chain stands after this piece, which has no fault."""
        sql = "SELECT hash FROM {table:Identifier} WHERE seq = {last:UInt64}"
        return Tip(self._last + 1, self._rows(sql)[0][0])

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._clickhouse.rows(sql, self._places, _SETTINGS)


def _link_finding(seq: int, expected: int) -> _Finding:
    if seq > expected:
        return _Finding(expected, _Check.NUMBER, f"the row is missing; the next one is {seq}")
    if seq < expected:
        return _Finding(seq, _Check.NUMBER, "there is a second row with this number")
    return _Finding(seq, _Check.LINK, "its link is not the hash of the row before")


def _content_finding(column: str, seq: int) -> _Finding:
    if column == "hash":
        return _Finding(seq, _Check.HASH, "its hash is not the hash of its content")
    return _Finding(seq, _Check.DERIVED, f"its column {column} is not what the body says")


class _Expressions(NamedTuple):
    """SQL out of the DDL: the hash of a row, the helpers, and every stored column's source."""

    hash: str
    helpers: dict[str, str]
    stored: dict[str, str]


@cache
def _expressions() -> _Expressions:
    ddl = migrations()[0].sql
    columns = dict(_COLUMN.findall(ddl))
    return _Expressions(
        hash=_CHECK.findall(ddl)[0],
        helpers={name: columns[name] for name in _HELPERS},
        stored={name: sql for name, sql in columns.items() if name not in _UNSTORED},
    )


@cache
def _content() -> str:
    """Return the query for the first row of a piece where each derived value is wrong."""
    sql = _expressions()
    helpers = ", ".join(f"{source} AS {name}" for name, source in sql.helpers.items())
    wrong = [
        f"hash != {sql.hash}",
        "doc_id != '' AND event_id != doc_id",
        *(f"row.`{name}` != ({source})" for name, source in sql.stored.items()),
    ]
    firsts = ", ".join(f"minIfOrNull(seq, {condition})" for condition in wrong)
    stored = ", ".join(f"`{name}`" for name in sql.stored)
    return f"""
        WITH {helpers}, tupleElement(doc, 'id') AS doc_id SELECT {firsts} FROM (
            SELECT seq, prev_hash, hash, topic, partition, offset, key, at_ms, event_id, body,
                {stored} {_PIECE}
        ) AS row
    """  # noqa: S608 - all of it comes from the DDL file


def _refuse_other_heads(
    clickhouse: ClickHouse, table: str, remembered: Sequence[LedgerHead]
) -> None:
    """Look the remembered hashes up, many at a time; the first row that has another is named."""
    heads = sorted(remembered, key=lambda head: head.sequence)
    for start in range(0, len(heads), HEADS_PER_QUERY):
        some = heads[start : start + HEADS_PER_QUERY]
        numbers = [head.sequence for head in some]
        found = dict(clickhouse.rows(_HASHES, {"table": table, "numbers": numbers}, _SETTINGS))
        for head in some:
            if head.sequence not in found:
                raise LedgerFault(head.sequence, "a head vouches for the row, and it is missing")
            if "0x" + found[head.sequence].hex() != head.hash:
                raise LedgerFault(head.sequence, "its hash is not the one that a head vouches for")
