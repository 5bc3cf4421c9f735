"""The verifier's checks of a row, in the order in which faults are reported.

1. Row number. 2. Hash. 3. Link to the previous row. 4. Offset. 5. Event id. 6. Outcomes.
7. Remembered heads. ``finish`` reports heads of rows that are missing at the end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from . import faults
from .format import GENESIS, Row, VerificationError, event_of, row_hash
from .outcomes import Outcomes

PROGRESS_ROWS = 20_000


@dataclass
class Report:
    """What was verified: rows, heads, outcomes, and the number of forged outcomes.

    ``beyond_heads`` rows at the end are newer than every remembered head: they form a chain, but no
    signature vouches for them.
    """

    first: int = 0
    rows: int = 0
    hash: bytes = GENESIS
    heads: int = 0
    outcomes: int = 0
    accounts: int = 0
    forged: int = 0
    first_forged: int | None = None
    beyond_heads: int = 0


@dataclass
class Verifier:
    """Checks rows one by one. ``heads`` maps row numbers to remembered hashes.

    ``signers`` are raw Ed25519 public keys. None skips signature checks; with an empty list every
    outcome counts as forged. A ``part`` may begin at any row.
    """

    heads: Mapping[int, bytes] = field(default_factory=dict)
    signers: Sequence[bytes] | None = None
    part: bool = False

    def __post_init__(self) -> None:
        self._report = Report()
        self._next: int | None = None if self.part else 0
        self._hash: bytes | None = None if self.part else GENESIS
        self._offsets: dict[tuple[str, int], int] = {}
        self._outcomes = Outcomes(self.signers, part=self.part)

    def add(self, row: Row) -> None:
        """Check the next row; raise ``VerificationError`` if it is bad."""
        seq = row[0]
        if self._next is None:
            self._next, self._report.first = seq, seq
        # 1. The number follows the previous one, so that no row is missing, repeated or moved.
        if seq != self._next:
            raise _out_of_order(seq, self._next)
        # 2. The hash covers number, link and content: any changed byte shows here.
        if row_hash(row) != row[2]:
            raise VerificationError(seq, faults.HASH)
        # 3. The link is the previous row's hash. The first row of a part has no predecessor here.
        if self._hash is not None and row[1] != self._hash:
            raise VerificationError(seq, faults.LINK)
        # 4. Offsets increase within a partition: no record was appended twice or out of order.
        place = (row[3], row[4])
        if row[5] <= self._offsets.get(place, -1):
            raise VerificationError(seq, faults.OFFSET)
        # 5. The event id is that of the body, so that a lookup by id finds the true event.
        event = event_of(row)
        # 6. One outcome per intent, and a dense sequence per account: a missing outcome shows.
        if row[3] == "outcomes" or row[3] == "transactions.signed":
            self._outcomes.add(row, event)
        # 7. A remembered hash must match: this detects a chain that was rewritten as a whole.
        if seq in self.heads:
            self._refuse_other_head(row)
        self._offsets[place], self._hash, self._next = row[5], row[2], seq + 1

    def finish(self) -> Report:
        """Return the report; raise ``VerificationError`` if the row of a head is missing."""
        # Only heads show that rows were cut off at the end: what remains is a valid chain.
        end = self._next or 0
        missing = [seq for seq in self.heads if seq >= end]
        if missing:
            raise VerificationError(end, faults.cut_off(max(missing)))
        report = self._report
        report.rows, report.hash = end - report.first, self._hash or GENESIS
        report.beyond_heads = min(report.rows, end - 1 - max(self.heads, default=-1))
        report.outcomes, report.accounts = self._outcomes.count, len(self._outcomes.next)
        report.forged, report.first_forged = self._outcomes.forged, self._outcomes.first_forged
        return report

    def _refuse_other_head(self, row: Row) -> None:
        if row.hash != self.heads[row.seq]:
            raise VerificationError(row.seq, faults.HEAD_WITH_OTHER_HASH)
        self._report.heads += 1


def verify(
    rows: Iterable[Row],
    heads: Mapping[int, bytes] | None = None,
    signers: Sequence[bytes] | None = None,
    *,
    part: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> Report:
    """Check rows in order and return a report; raise ``VerificationError`` at the first fault."""
    verifier = Verifier(heads or {}, signers, part)
    add = verifier.add
    for done, row in enumerate(rows, 1):
        add(row)
        if done % PROGRESS_ROWS == 0:
            progress(done)
    return verifier.finish()


def _out_of_order(seq: int, expected: int) -> VerificationError:
    if seq > expected:
        return VerificationError(expected, faults.missing(seq))
    return VerificationError(seq, f"the row is out of order; row {expected} was expected")
