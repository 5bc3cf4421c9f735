"""What the signer asks the ledger: outcomes that its memory has forgotten, or may forget."""

from dataclasses import dataclass, field
from typing import Protocol

ASK_MS = 10_000
"""Time between two queries about one account: an unreachable ledger must not slow every batch."""


class LedgerOutcomes(Protocol):
    """The verified outcomes in the ledger."""

    def has_outcome(self, intent: str) -> bool:
        """Return whether an intent has an outcome, its own or a shared one; raise if unknown."""
        ...

    def newest_sequence(self, account: str) -> int:
        """Return the sequence of an account's newest outcome; 0 if it has none or is unknown."""
        ...


@dataclass(slots=True)
class Recorded:
    """Remembers how far the ledger has recorded the outcomes of each account."""

    ledger: LedgerOutcomes
    _known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def through(self, account: str, sequence: int, at_ms: int) -> bool:
        """Return whether the ledger certainly has an account's outcomes up to ``sequence``."""
        newest, asked_ms = self._known.get(account, (0, at_ms - ASK_MS))
        if newest < sequence and at_ms - asked_ms >= ASK_MS:
            newest = self.ledger.newest_sequence(account)
            self._known[account] = (newest, at_ms)
        return newest >= sequence
