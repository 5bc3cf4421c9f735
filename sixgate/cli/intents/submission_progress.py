"""Submission progress: reports what was accepted when a submission ends early; pure."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class SubmissionProgress:
    """Counts of intents: in total, sent, and known to be durable.

    ``sent`` is raised before a request and ``accepted`` after its answer. The pair is therefore
    correct at every moment: the difference may have been accepted.
    """

    total: int
    saved: Path | None
    sent: int = 0
    accepted: int = 0

    def sentence(self) -> str:
        """Say what was accepted, what may have been, and whether it can be sent again."""
        if not self.sent:
            return "nothing was sent"
        return f"{self._known()} (see sixgate intents list); {self._again()}"

    def _known(self) -> str:
        unanswered = self.sent - self.accepted
        if not unanswered:
            return f"{self.accepted} of {self.total} intents were accepted and will be decided"
        if not self.accepted:
            return (
                f"up to {unanswered} of {self.total} intents may have been accepted: the answer is "
                "missing"
            )
        return (
            f"{self.accepted} of {self.total} intents were accepted and up to {unanswered} more "
            "may have been: the answer is missing"
        )

    def _again(self) -> str:
        if self.saved:
            return f"sixgate submit {self.saved} sends all of them again, and none is signed twice"
        return "submitting the file again creates new intents; use --save FILE to repeat safely"
