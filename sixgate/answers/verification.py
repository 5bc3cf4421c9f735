"""Verifies a ledger with two independent verifiers, in SQL and in Python, and compares them."""

import queue
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from schemas.ledger.heads import LedgerHead
from sixgate.api import ApiError, Json
from streams.ledger.clickhouse import ClickHouse
from streams.ledger.errors import LedgerVerificationError
from streams.ledger.table import LedgerTable, Row
from streams.ledger.verifier import Report, VerificationError
from streams.ledger.verifier import Row as VerifierRow
from streams.ledger.verifier import verify as verify_rows
from streams.ledger.verify_sql import Verified
from streams.ledger.verify_sql import verify as verify_sql

Progress: TypeAlias = Callable[[int, int], None]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Verification:
    """One ledger with the evidence to verify it against.

    The ledger must contain every one of ``heads``; ``remembered`` is the one among them that the
    client supplied. Outcomes must be signed with one of ``signer_keys`` (hex public keys).
    """

    clickhouse: ClickHouse
    table: LedgerTable
    signer_keys: Sequence[str]
    heads: Sequence[LedgerHead]
    remembered: LedgerHead | None

    def run(self) -> Iterator[Json]:
        """Yield the answers of ``Api.verify``; raise ``ledger_wrong``."""
        try:
            in_sql = yield from self._in_sql()
            in_python = yield from self._in_python(in_sql)
        except (LedgerVerificationError, VerificationError) as error:
            raise ApiError("ledger_wrong", str(error)) from None
        yield {
            "verified": {
                "rows": in_sql.rows,
                "hash": in_sql.hash,
                "heads": len(self.heads),
                "remembered": self.remembered.sequence if self.remembered else None,
                "outcomes": in_python.outcomes,
                "accounts": in_python.accounts,
                "forged": in_python.forged,
            }
        }

    def _in_sql(self) -> Generator[Json, None, Verified]:
        def work(progress: Progress) -> Verified:
            return verify_sql(self.clickhouse, list(self.heads), progress)

        return (yield from stream_progress(work, verifier="sql"))

    def _in_python(self, in_sql: Verified) -> Generator[Json, None, Report]:
        """Verify again in Python; the last row that SQL verified must have the same hash.

        Rows appended since are verified in Python only.
        """
        hashes = {head.sequence: bytes.fromhex(head.hash[2:]) for head in self.heads}
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
