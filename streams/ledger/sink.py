"""The only writer of the ledger: carries every kept record of the log into the chain.

Where it goes on is what the table says, never what was acknowledged: after a crash, rows may be
there whose writing was never confirmed. Crash points of a step: before the insert nothing happened;
after it the rows are there and the next start goes on behind them; before the head is published
the table is ahead of the last head, which is allowed, and the next start publishes one.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from schemas.dsse import Envelope
from schemas.heads import LedgerHead
from schemas.record import PartitionId, Record
from schemas.topics import Topic
from streams.ledger.entry import entry_of
from streams.ledger.errors import (
    LedgerConflictError,
    LedgerGapError,
    LedgerRewrittenError,
    LedgerUnavailableError,
)
from streams.ledger.heads import Heads
from streams.ledger.ordering import advance, batches, by_place, in_order, refuse_gap
from streams.ledger.table import Batch, LedgerTable, batch_of

READ_RECORDS_MAX = 60_000


class Source(Protocol):
    """The log as the sink reads it: the committed records of every topic that is kept."""

    def read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        """Return at most ``limit`` records, each at or behind its partition's position.

        A partition without a position is read from 0. Of each partition the records are the
        first ones there, none left out.
        """

    def earliest(self, topic: Topic, partition: int) -> int:
        """Return the first offset the log still holds, or its end if it holds nothing."""

    def end(self, topic: Topic, partition: int) -> int:
        """Return the offset the log will give next."""


class HeadSigner(Protocol):
    """Signs heads and recognises its own."""

    def seal(self, head: LedgerHead) -> Envelope:
        """Sign a head."""

    def open(self, envelope: Envelope) -> LedgerHead:
        """Return a head it signed; raise ``LedgerRewrittenError`` for any other."""


class Sink:
    """Appends to the chain what the log holds beyond it, one step at a time.

    After an exception a sink is spent: make a new one, which goes on from the table.
    """

    def __init__(
        self,
        source: Source,
        table: LedgerTable,
        heads: Heads,
        signer: HeadSigner,
        now_ms: Callable[[], int],
    ) -> None:
        """Check table and log against what was published, and publish what was not.

        Raises ``LedgerRewrittenError`` if the table is behind the last head, contradicts it, or has
        other than as many rows as its last number says; ``LedgerGapError`` if the log does not
        reach back or forward to where the table ends.
        """
        self._source = source
        self._table = table
        self._heads = heads
        self._signer = signer
        self._now_ms = now_ms
        self._inserter = ThreadPoolExecutor(1, "ledger-insert")
        self._has_appended = False
        self._tip = table.tip()
        self._positions = table.positions()
        self._refuse_other_log()
        published = self._published_rows()
        refuse_miscount(table)
        if published < self._tip.rows:
            self._publish()

    def step(self) -> int:
        """Append what the log holds beyond the table, up to a bound, and return how many records.

        0 means that the ledger is level with the log. Raises what reading the log and appending
        to the table raise, and ``LedgerGapError``.
        """
        groups = by_place(self._source.read(self._positions, READ_RECORDS_MAX))
        if not groups:
            return 0
        positions = advance(groups, self._positions, self._source.earliest)
        before = self._tip.rows
        self._append(in_order(groups))
        self._positions = positions
        self._publish()
        return self._tip.rows - before

    def close(self) -> None:
        """End the inserting thread."""
        self._inserter.shutdown()

    def _append(self, records: list[Record]) -> None:
        """Append in batches; while one is inserted the next is hashed."""
        tip, inserting = self._tip, _done()
        for batch in batches(records, tip.rows):
            chained = batch_of(tip, [entry_of(record) for record in batch])
            inserting.result()
            inserting = self._inserter.submit(self._insert, chained)
            tip = chained.tip
        inserting.result()
        self._tip = tip

    def _insert(self, batch: Batch) -> None:
        """Append a batch; raise ``LedgerUnavailableError`` where a conflict proves no rival.

        A server that hangs may finish an insert whose sender died while the next process starts.
        So only who has appended, and then finds the chain gone on, was replaced by another.
        """
        try:
            self._table.append(batch)
        except LedgerConflictError as error:
            if self._has_appended:
                raise
            raise LedgerUnavailableError(
                "The ledger went on while this process started: what an earlier one sent came "
                "late, or another one appends to it. Start again."
            ) from error
        self._has_appended = True

    def _publish(self) -> None:
        head = LedgerHead(
            org=self._table.org,
            chain=self._table.chain,
            sequence=self._tip.rows - 1,
            hash=_hex(self._tip.hash),
            at_ms=self._now_ms(),
        )
        self._heads.publish(self._signer.seal(head))

    def _refuse_other_log(self) -> None:
        for (topic, partition), position in self._positions.items():
            refuse_gap((topic, partition), position, self._source.earliest(topic, partition))
            end = self._source.end(topic, partition)
            if end < position:
                raise LedgerGapError(
                    f"The log of {topic}/{partition} ends at offset {end} but the ledger has read "
                    f"up to {position}: the log is older than the ledger; restore the newer one."
                )

    def _published_rows(self) -> int:
        """Return how many rows the last head vouches for, after checking that they are there."""
        envelope = self._heads.last()
        if envelope is None:
            return 0
        head = self._signer.open(envelope)
        refuse_contradiction(head, self._table)
        return head.sequence + 1


def refuse_contradiction(head: LedgerHead, table: LedgerTable) -> None:
    """Raise ``LedgerRewrittenError`` if the table is not the one, or lacks the row, of a head."""
    if (head.org, head.chain) != (table.org, table.chain):
        raise LedgerRewrittenError(
            f"The head is of {head.org}/{head.chain}, not of {table.org}/{table.chain}: it belongs "
            "to another ledger."
        )
    found = table.hash_at(head.sequence)
    if found is None:
        raise LedgerRewrittenError(
            f"Row {head.sequence} was published and is missing: the ledger has only "
            f"{table.tip().rows} rows; it was cut or restored from an older copy."
        )
    if _hex(found) != head.hash:
        raise LedgerRewrittenError(
            f"Row {head.sequence} has another hash than the head that was published: the ledger "
            "was rewritten."
        )


def refuse_miscount(table: LedgerTable) -> None:
    """Raise ``LedgerRewrittenError`` if rows are missing or doubled anywhere; costs no scan."""
    stored, rows = table.stored(), table.tip().rows
    if stored != rows:
        raise LedgerRewrittenError(
            f"The ledger has {stored} rows but its last one is number {rows - 1}: "
            "rows were deleted or inserted; verification names the first."
        )


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _done() -> "Future[None]":
    done: Future[None] = Future()
    done.set_result(None)
    return done
