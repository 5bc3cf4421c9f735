"""A ledger that the signer may ask for outcomes, with given answers."""

from dataclasses import dataclass, field


@dataclass
class KnownOutcomes:
    """Has no outcome by name; ``newest`` is the sequence up to which it claims to have all."""

    newest: int = 0
    asked: list[str] = field(default_factory=list)

    def has_outcome(self, intent: str) -> bool:
        self.asked.append(intent)
        return False

    def newest_sequence(self, _account: str) -> int:
        return self.newest
