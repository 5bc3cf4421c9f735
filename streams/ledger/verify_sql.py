"""Verifies the whole ledger inside the database, in pieces of bounded memory. Only reads.

1. Cut the table into pieces of consecutive stored rows.
2. Check the order and the content of a piece's rows, on two connections in parallel.
3. Report the first bad row; otherwise continue with the next piece after this one's last hash.
4. Compare the remembered heads with the stored hashes.

``verifier/`` is an independent implementation of the same checks.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import NamedTuple

from schemas.ledger.heads import LedgerHead
from streams.ledger.chain import EMPTY, Tip
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerVerificationError
from streams.ledger.piece import SETTINGS, Ends, Piece
from streams.ledger.verifier.faults import HEAD_WITH_OTHER_HASH, cut_off

PIECE_ROWS = 500_000
HEADS_PER_QUERY = 10_000

Progress = Callable[[int, int], None]

_LAST = """
SELECT maxOrNull(seq) FROM {table:Identifier}
WHERE seq >= {first:UInt64} AND seq < {first:UInt64} + {rows:UInt64}
"""
_NEXT = "SELECT minOrNull(seq) FROM {table:Identifier} WHERE seq >= {first:UInt64}"
_END = "SELECT if(count() = 0, 0, max(seq) + 1) FROM {table:Identifier}"
_HASHES = "SELECT seq, hash FROM {table:Identifier} WHERE seq IN {numbers:Array(UInt64)}"


class Verified(NamedTuple):
    """A verified chain: the number of rows and the last hash (0x hex)."""

    rows: int
    hash: str


def verify(
    clickhouse: ClickHouse,
    remembered: Sequence[LedgerHead] = (),
    progress: Progress = lambda _done, _total: None,
    table: str = "ledger",
) -> Verified:
    """Check every row of the table, and that every remembered head is in it.

    Each row's number must follow the previous one, its link must be the previous hash, its hash
    that of its content, its offset above the previous one of its partition, and its event id and
    materialized columns those of its body. Raises ``LedgerVerificationError`` with the first bad
    row, ``LedgerUnavailableError`` if the engine cannot read its own files.
    """
    total = clickhouse.rows("SELECT count() FROM {t:Identifier}", {"t": table}, SETTINGS)[0][0]
    tip, ends = EMPTY, Ends()
    with closing(clickhouse.new_connection()) as second, ThreadPoolExecutor(1, "verify") as pool:
        # 1. A piece starts at the number that must come next, so a gap between pieces is found.
        while (last := _last_of_piece(clickhouse, table, tip)) is not None:
            piece = Piece(clickhouse, table, tip, last)
            # 2. A second connection, because one connection runs one query at a time.
            content = pool.submit(Piece(second, table, tip, last).content_faults)
            faults = [*piece.order_faults(ends), *content.result()]
            # 3. A piece without faults proves its last hash, and the next piece builds on it.
            if faults:
                first = min(faults)
                raise LedgerVerificationError(first.seq, first.what)
            tip = piece.tip()
            progress(tip.rows, total)
    # 4. Only heads detect a ledger that was cut off or rewritten as a whole.
    refuse_other_heads(clickhouse, remembered, table)
    return Verified(tip.rows, "0x" + tip.hash.hex())


def _last_of_piece(clickhouse: ClickHouse, table: str, tip: Tip) -> int | None:
    """Return the last row number of the next piece; None if there are no more rows.

    Behind a gap wider than ``PIECE_ROWS`` it is the next stored row's.
    """
    parameters = {"table": table, "first": tip.rows, "rows": PIECE_ROWS}
    for sql in (_LAST, _NEXT):
        ((last,),) = clickhouse.rows(sql, parameters, SETTINGS)
        if last is not None:
            return int(last)
    return None


def refuse_other_heads(
    clickhouse: ClickHouse, remembered: Sequence[LedgerHead], table: str = "ledger"
) -> None:
    """Raise ``LedgerVerificationError`` for the first remembered head that the table contradicts.

    A head whose row is missing names the first row after the table's end.
    """
    heads = sorted(remembered, key=lambda head: head.sequence)
    for start in range(0, len(heads), HEADS_PER_QUERY):
        page = heads[start : start + HEADS_PER_QUERY]
        numbers = [head.sequence for head in page]
        found = dict(clickhouse.rows(_HASHES, {"table": table, "numbers": numbers}, SETTINGS))
        for head in page:
            if head.sequence not in found:
                ((end,),) = clickhouse.rows(_END, {"table": table}, SETTINGS)
                raise LedgerVerificationError(min(end, head.sequence), cut_off(heads[-1].sequence))
            if "0x" + found[head.sequence].hex() != head.hash:
                raise LedgerVerificationError(head.sequence, HEAD_WITH_OTHER_HASH)
