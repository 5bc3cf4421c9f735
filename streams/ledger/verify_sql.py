"""Verification inside the database: fast, over the whole table, in pieces of bounded memory.

``verifier/`` is the independent second opinion.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

from schemas.heads import LedgerHead
from streams.ledger.chain import EMPTY, Tip
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerVerificationError
from streams.ledger.piece import SETTINGS, Ends, Piece

PIECE_ROWS = 500_000
HEADS_PER_QUERY = 10_000

Progress = Callable[[int, int], None]

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
    materialized columns are what the body says. Raises ``LedgerVerificationError`` naming the first
    bad row, ``LedgerUnavailableError`` if the engine cannot read its own files.
    """
    total = clickhouse.rows("SELECT count() FROM {t:Identifier}", {"t": table}, SETTINGS)[0][0]
    tip, ends = EMPTY, Ends()
    with closing(clickhouse.another()) as beside, ThreadPoolExecutor(1, "verify") as executor:
        while (last := _last_of_piece(clickhouse, table, tip)) is not None:
            piece = Piece(clickhouse, table, tip, last)
            content = executor.submit(Piece(beside, table, tip, last).content_faults)
            faults = [*piece.order_faults(ends), *content.result()]
            if faults:
                first = min(faults)
                raise LedgerVerificationError(first.seq, first.what)
            tip = piece.tip()
            progress(tip.rows, total)
    _refuse_other_heads(clickhouse, table, remembered)
    return Verified(tip.rows, "0x" + tip.hash.hex())


def _last_of_piece(clickhouse: ClickHouse, table: str, tip: Tip) -> int | None:
    """Return the last number of the next rows that there are; None behind the last row."""
    wanted = {"table": table, "first": tip.rows, "rows": PIECE_ROWS}
    for sql in (_LAST, _NEXT):
        ((last,),) = clickhouse.rows(sql, wanted, SETTINGS)
        if last is not None:
            return int(last)
    return None


def _refuse_other_heads(
    clickhouse: ClickHouse, table: str, remembered: Sequence[LedgerHead]
) -> None:
    """Look the remembered hashes up, many at a time; the first row that has another is named."""
    heads = sorted(remembered, key=lambda head: head.sequence)
    for start in range(0, len(heads), HEADS_PER_QUERY):
        some = heads[start : start + HEADS_PER_QUERY]
        numbers = [head.sequence for head in some]
        found = dict(clickhouse.rows(_HASHES, {"table": table, "numbers": numbers}, SETTINGS))
        for head in some:
            if head.sequence not in found:
                raise LedgerVerificationError(
                    head.sequence, "a head vouches for the row, and it is missing"
                )
            if "0x" + found[head.sequence].hex() != head.hash:
                raise LedgerVerificationError(
                    head.sequence, "its hash is not the one that a head vouches for"
                )
