"""Every check of a row, in order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from .format import GENESIS, Row, VerificationError, event_of, row_hash
from .outcomes import Outcomes

PROGRESS_ROWS = 20_000


@dataclass
class Report:
    """What was found in order."""

    first: int = 0
    rows: int = 0
    hash: bytes = GENESIS
    heads: int = 0
    outcomes: int = 0
    accounts: int = 0
    forged: int = 0
    first_forged: int | None = None


@dataclass
class Verifier:
    """Takes rows one by one; ``heads`` are remembered hashes by row number.

    ``signers`` are raw Ed25519 public keys; with None signatures are not checked, with an empty
    list none is right. A ``part`` may begin at any row.
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
        # 1. Its number follows the one before.
        if seq != self._next:
            raise _out_of_order(seq, self._next)
        # 2. Its hash is the hash of its number, its link and its content.
        if row_hash(row) != row[2]:
            raise VerificationError(seq, "its hash is not the hash of its content")
        # 3. Its link is the hash of the row before.
        if self._hash is not None and row[1] != self._hash:
            raise VerificationError(seq, "its link is not the hash of the row before")
        # 4. Its offset is above the former one of its partition.
        place = (row[3], row[4])
        if row[5] <= self._offsets.get(place, -1):
            raise VerificationError(seq, "its offset is not above the former one of its partition")
        # 5. Its event id is that of its body.
        event = event_of(row)
        # 6. An outcome is the only one of its intent and the next one of its account.
        if row[3] == "outcomes" or row[3] == "transactions.signed":
            self._outcomes.add(row, event)
        # 7. Whoever remembers a hash of this row remembers this one.
        if seq in self.heads:
            self._refuse_other_head(row)
        self._offsets[place], self._hash, self._next = row[5], row[2], seq + 1

    def finish(self) -> Report:
        """Return what was found.

        Raise ``VerificationError`` if a head is of a row behind the last.
        """
        end = self._next or 0
        missing = [seq for seq in self.heads if seq >= end]
        if missing:
            raise VerificationError(min(missing), "a head vouches for the row, and it is missing")
        report = self._report
        report.rows, report.hash = end - report.first, self._hash or GENESIS
        report.outcomes, report.accounts = self._outcomes.count, len(self._outcomes.next)
        report.forged, report.first_forged = self._outcomes.forged, self._outcomes.first_forged
        return report

    def _refuse_other_head(self, row: Row) -> None:
        if row.hash != self.heads[row.seq]:
            raise VerificationError(row.seq, "its hash is not the one that a head vouches for")
        self._report.heads += 1


def verify(
    rows: Iterable[Row],
    heads: Mapping[int, bytes] | None = None,
    signers: Sequence[bytes] | None = None,
    *,
    part: bool = False,
    progress: Callable[[int], None] = lambda _done: None,
) -> Report:
    """Check rows in order and return what was found.

    Raise ``VerificationError`` for the first bad one.
    """
    verifier = Verifier(heads or {}, signers, part)
    add = verifier.add
    for done, row in enumerate(rows, 1):
        add(row)
        if done % PROGRESS_ROWS == 0:
            progress(done)
    return verifier.finish()


def _out_of_order(seq: int, expected: int) -> VerificationError:
    if seq > expected:
        return VerificationError(expected, f"the row is missing; the next one is {seq}")
    return VerificationError(seq, f"the row is out of order, {expected} was to come")
