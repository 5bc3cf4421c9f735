"""Verifies a ledger with two independent verifiers, in SQL and in Python, and compares them."""

import queue
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar

from schemas.ledger.heads import LedgerHead
from sixgate.api import ApiError, Json
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerVerificationError
from streams.ledger.table import LedgerTable, Row
from streams.ledger.verifier import Report, VerificationError
from streams.ledger.verifier import Row as VerifierRow
from streams.ledger.verifier import verify as verify_rows
from streams.ledger.verify_sql import Verified, refuse_other_heads
from streams.ledger.verify_sql import verify as verify_sql

Progress: TypeAlias = Callable[[int, int], None]
Result = TypeVar("Result")
# Rows without a head are those of a few steps; many more mean that the heads are withheld.
COMPARED_ROWS_MAX = 100_000


class Evidence(Protocol):
    """What vouches for a ledger from outside its table: signed heads, and the log."""

    def heads(self) -> Sequence[LedgerHead]:
        """Return every head that is published now."""

    def compare(self, rows: Iterable[Row]) -> int:
        """Return how many rows equal their record; raise ``LedgerVerificationError`` for others."""

    def settle(self) -> None:
        """Wait until the ledger holds everything that is committed now."""


@dataclass(frozen=True, slots=True)
class Verification:
    """One ledger with the evidence to verify it against.

    The ledger must contain every head of the evidence, and ``remembered``, which the client
    supplied. Outcomes must be signed with one of ``signer_keys`` (hex public keys).
    """

    clickhouse: ClickHouse
    table: LedgerTable
    signer_keys: Sequence[str]
    evidence: Evidence
    remembered: LedgerHead | None

    def run(self) -> Iterator[Json]:
        """Yield the answers of ``Api.verify``; raise ``ledger_wrong``."""
        try:
            # 1. Heads and log before any wait: a ledger that was cut off, or that another writer
            # continued, never catches up.
            if self._holds_heads():
                self._compare(self.table.tip().rows, self._heads())
                self.evidence.settle()
            # 2. A ledger that lacks a head is verified as it is, to find its first bad row.
            in_sql = yield from self._in_sql(self._heads())
            # 3. Heads published meanwhile vouch for the rows that only Python verifies.
            heads = self._heads()
            in_python = yield from self._in_python(in_sql, heads)
            # 4. No head names the rows after the newest one; only the log says if they are true.
            compared = self._compare(in_python.rows, heads)
        except (LedgerVerificationError, VerificationError) as error:
            raise ApiError("ledger_wrong", str(error)) from None
        yield {
            "verified": {
                "rows": in_sql.rows,
                "hash": in_sql.hash,
                "heads": len(heads),
                "remembered": self.remembered.sequence if self.remembered else None,
                "beyond_heads": in_python.rows - _after_heads(heads),
                "beyond_heads_in_log": compared,
                "outcomes": in_python.outcomes,
                "accounts": in_python.accounts,
                "forged": in_python.forged,
            }
        }

    def _heads(self) -> list[LedgerHead]:
        return [*self.evidence.heads(), *([self.remembered] if self.remembered else [])]

    def _holds_heads(self) -> bool:
        try:
            refuse_other_heads(self.clickhouse, self._heads())
        except LedgerVerificationError:
            return False
        return True

    def _compare(self, rows: int, heads: Sequence[LedgerHead]) -> int:
        """Compare the rows from the newest head up to ``rows`` with the log."""
        first = _after_heads(heads)
        stop = min(rows, first + COMPARED_ROWS_MAX)
        return self.evidence.compare(self.table.rows(first, stop)) if first < stop else 0

    def _in_sql(self, heads: Sequence[LedgerHead]) -> Generator[Json, None, Verified]:
        def work(progress: Progress) -> Verified:
            return verify_sql(self.clickhouse, heads, progress)

        return (yield from stream_progress(work, verifier="sql"))

    def _in_python(
        self, in_sql: Verified, heads: Sequence[LedgerHead]
    ) -> Generator[Json, None, Report]:
        """Verify again in Python; the last row that SQL verified must have the same hash.

        Rows appended since are verified in Python only.
        """
        hashes = {head.sequence: bytes.fromhex(head.hash[2:]) for head in heads}
        if in_sql.rows:
            hashes[in_sql.rows - 1] = bytes.fromhex(in_sql.hash[2:])
        signers = [bytes.fromhex(key[2:]) for key in self.signer_keys]

        def work(progress: Progress) -> Report:
            return verify_rows(
                map(_row, self.table.rows()),
                hashes,
                signers,
                progress=lambda done: progress(done, in_sql.rows),
            )

        return (yield from stream_progress(work, verifier="python"))


def _after_heads(heads: Sequence[LedgerHead]) -> int:
    """Return the number of the first row that no head vouches for."""
    return max((head.sequence for head in heads), default=-1) + 1


def _row(row: Row) -> VerifierRow:
    return VerifierRow(*row)


def stream_progress(
    work: Callable[[Progress], Result], **named: str
) -> Generator[Json, None, Result]:
    """Run work in a thread; return its result or raise its error.

    Yields ``{"progress": done, "of": total, **named}`` for each callback. Closing the stream early
    waits for the work to finish.
    """
    steps: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()

    def run() -> Result:
        try:
            return work(lambda done, total: steps.put((done, total)))
        finally:
            steps.put(None)

    with ThreadPoolExecutor(1, "stream_progress") as executor:
        result = executor.submit(run)
        while step := steps.get():
            yield {"progress": step[0], "of": step[1], **named}
        return result.result()
