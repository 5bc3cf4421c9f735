"""The ledger's sink: appends the committed records of the log to the hash chain. The only writer.

The table is the only memory of how far the sink is: a start reads chain end and positions from it,
because a crash can leave rows that were never acknowledged.

1. ``__init__`` compares the table with the log and with the last published head, and the rows that
   no head names yet with their records.
2. ``step`` reads records from the table's positions on and puts them in order.
   *If the process ends before this point, nothing was written.*
3. It appends them in batches. Each batch is stored as a whole or not at all.
   *If the process ends here, every prefix of the batches is a valid chain; the next start continues
   after it. A server may still finish the last insert later: see ``_insert``.*
4. It publishes the signed head of the last row.
   *If the process ends before that, the table is ahead of the last head; that is allowed, the next
   start catches up.*
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from schemas.dsse import Envelope
from schemas.ledger.heads import LedgerHead
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
from streams.ledger.log_check import LogPart, compared_rows, places_of
from streams.ledger.ordering import advance, batches, by_partition, merged, refuse_gap
from streams.ledger.table import Batch, LedgerTable, Row, batch_of

READ_RECORDS_MAX = 60_000
# Reads in a row that may return nothing, before a record counts as not available.
EMPTY_READS_MAX = 20


class Source(Protocol):
    """The log as the sink reads it: the committed records of every topic in the ledger."""

    def read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        """Return at most ``limit`` records, each at or after its partition's position.

        A partition without a position is read from 0. Within a partition no committed record is
        skipped.
        """

    def earliest(self, topic: Topic, partition: int) -> int:
        """Return the first offset the log still holds, or its end if it holds nothing."""

    def end(self, topic: Topic, partition: int) -> int:
        """Return the offset that the next record will get."""


class HeadSigner(Protocol):
    """Signs ledger heads and verifies its own signature."""

    def sign_head(self, head: LedgerHead) -> Envelope:
        """Sign a head."""

    def open(self, envelope: Envelope) -> LedgerHead:
        """Return the signed head; raise ``LedgerRewrittenError`` if another key signed it."""


class Sink:
    """Appends new records of the log to the chain, one step at a time.

    After an exception discard the sink and make a new one, which continues from the table.
    """

    def __init__(
        self,
        source: Source,
        table: LedgerTable,
        heads: Heads,
        signer: HeadSigner,
        now_ms: Callable[[], int],
    ) -> None:
        """Check the table against the log and the last published head (step 1).

        Publishes a head if the table is ahead of the last one. Raises ``LedgerRewrittenError`` if
        the table is behind the last head, contradicts it, or lacks or repeats rows;
        ``LedgerVerificationError`` if a row that no head names is not its record in the log;
        ``LedgerGapError`` if the log starts after or ends before the table's positions.
        """
        self._source = source
        self._table = table
        self._heads = heads
        self._signer = signer
        self._now_ms = now_ms
        self._inserter = ThreadPoolExecutor(1, "ledger-insert")
        self._has_appended = False
        # 1. Only the table counts: an acknowledgement may be lost although the rows are stored.
        self._tip = table.tip()
        self._positions = table.positions()
        self._refuse_other_log()
        published = self._published_rows()
        refuse_miscount(table)
        if published < self._tip.rows:
            # The last process died between steps 3 and 4. Anyone who may insert can imitate that,
            # so the new head vouches only for rows that the log confirms.
            for first in range(published, self._tip.rows, READ_RECORDS_MAX):
                self.compare(table.rows(first, min(first + READ_RECORDS_MAX, self._tip.rows)))
            self._publish()

    @property
    def rows(self) -> int:
        """The number of rows in the chain."""
        return self._tip.rows

    def step(self) -> int:
        """Append the next records of the log and return their number (steps 2 to 4).

        At most ``READ_RECORDS_MAX``; 0 means that the ledger has caught up with the log. Raises
        ``LedgerGapError`` and the errors of reading the log and appending to the table.
        """
        # 2. Nothing is written yet.
        groups = by_partition(self._source.read(self._positions, READ_RECORDS_MAX))
        if not groups:
            return 0
        positions = advance(groups, self._positions, self._source.earliest)
        before = self._tip.rows
        # 3. Merging keeps each partition's order, so every prefix of the batches holds a prefix of
        # each partition: after a crash max(offset) + 1 of the stored rows is the right position.
        self._append(merged(groups))
        self._positions = positions
        # 4. After the rows are durable: a head must never name a row that could be lost.
        self._publish()
        return self._tip.rows - before

    def compare(self, rows: Iterable[Row]) -> int:
        """Return how many rows equal their record in the log; expired records do not count.

        Raises ``LedgerVerificationError`` for the first row that does not.
        """
        found = list(rows)
        lowest, ends = places_of(found)
        bounds = {
            at: (self._source.earliest(*at), self._source.end(*at))
            for at in lowest
            if at in self._positions
        }
        starts = {at: max(first, lowest[at]) for at, (first, _) in bounds.items()}
        wanted = {at: min(ends[at], end) for at, (_, end) in bounds.items()}
        records = self._records(starts, wanted)
        return compared_rows(found, LogPart(bounds, frozenset(starts), records))

    def _records(
        self, starts: Mapping[PartitionId, int], ends: Mapping[PartitionId, int]
    ) -> dict[tuple[PartitionId, int], Record]:
        """Read the log of some partitions from ``starts`` to ``ends`` (excluded)."""
        records: dict[tuple[PartitionId, int], Record] = {}
        positions, empty = {**self._positions, **starts}, 0
        while any(positions[at] < end for at, end in ends.items()):
            groups = by_partition(self._source.read(positions, READ_RECORDS_MAX))
            empty = 0 if groups else empty + 1
            if empty > EMPTY_READS_MAX:
                raise LedgerUnavailableError(
                    "The log did not return the records of the newest rows: check the log's "
                    "servers and start again."
                )
            for at, group in groups.items():
                positions[at] = group[-1].offset + 1
                records |= {(at, record.offset): record for record in group if at in ends}
        return records

    def close(self) -> None:
        """End the inserting thread."""
        self._inserter.shutdown()

    def _append(self, records: list[Record]) -> None:
        """Append in batches; the next one is hashed while the former is inserted."""
        tip, inserting = self._tip, _done()
        for batch in batches(records, tip.rows):
            chained = batch_of(tip, [entry_of(record) for record in batch])
            # One insert at a time: a batch may only follow a stored one.
            inserting.result()
            inserting = self._inserter.submit(self._insert, chained)
            tip = chained.tip
        inserting.result()
        self._tip = tip

    def _insert(self, batch: Batch) -> None:
        """Append a batch; raise ``LedgerUnavailableError`` for a conflict before its first append.

        A server that hangs may finish an insert of a dead process while this one starts. So a
        conflict proves a second writer only after this process has appended a batch.
        """
        try:
            self._table.append(batch)
        except LedgerConflictError as error:
            if self._has_appended:
                raise
            raise LedgerUnavailableError(
                "The ledger grew while this process started: a late insert of an earlier process "
                "arrived, or another process appends to it. Start again."
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
        self._heads.publish(self._signer.sign_head(head))

    def _refuse_other_log(self) -> None:
        for (topic, partition), position in self._positions.items():
            refuse_gap((topic, partition), position, self._source.earliest(topic, partition))
            end = self._source.end(topic, partition)
            if end < position:
                raise LedgerGapError(
                    f"The log of {topic}/{partition} ends at offset {end} but the ledger has read "
                    f"up to {position}: the log is older than the ledger; restore the newer log."
                )

    def _published_rows(self) -> int:
        """Return the row count of the last published head; check that its last row is stored."""
        envelope = self._heads.last()
        if envelope is None:
            return 0
        head = self._signer.open(envelope)
        refuse_contradiction(head, self._table)
        return head.sequence + 1


def refuse_contradiction(head: LedgerHead, table: LedgerTable) -> None:
    """Raise ``LedgerRewrittenError`` if a head is of another ledger or its row is not stored."""
    if (head.org, head.chain) != (table.org, table.chain):
        raise LedgerRewrittenError(
            f"The head is of {head.org}/{head.chain}, not of {table.org}/{table.chain}: it belongs "
            "to another ledger."
        )
    found = table.hash_at(head.sequence)
    if found is None:
        rows = table.tip().rows
        cause = (
            "rows after it exist, so it was deleted"
            if rows > head.sequence
            else f"the ledger has only {rows} rows, so it was truncated or restored from an older "
            "copy"
        )
        raise LedgerRewrittenError(
            f"Row {head.sequence} is missing, but its head was published: {cause}."
        )
    if _hex(found) != head.hash:
        raise LedgerRewrittenError(
            f"Row {head.sequence} has another hash than its published head: the ledger was "
            "rewritten."
        )


def refuse_miscount(table: LedgerTable) -> None:
    """Raise ``LedgerRewrittenError`` if rows are missing or duplicated; needs no table scan."""
    stored, rows = table.row_count(), table.tip().rows
    if stored != rows:
        raise LedgerRewrittenError(
            f"The ledger has {stored} rows, but its last row number needs {rows}: "
            "rows were deleted or inserted; run sixgate ledger verify to find the first."
        )


def _hex(raw: bytes) -> str:
    return "0x" + raw.hex()


def _done() -> "Future[None]":
    done: Future[None] = Future()
    done.set_result(None)
    return done
