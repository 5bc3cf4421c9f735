"""How far a submission had come when it ended early: the sentence a user decides by; pure."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class SubmissionProgress:
    """Counts of intents: all of them, those that were sent, and those known to be durable.

    ``sent`` is raised before a request and ``accepted`` when its answer has come, so whatever
    happens in between leaves the pair true: the difference may have been accepted.
    """

    total: int
    saved: Path | None
    sent: int = 0
    accepted: int = 0

    def sentence(self) -> str:
        """Say what was accepted, what may have been, and what it means to send all again."""
        if not self.sent:
            return "nothing was sent"
        return f"{self._known()} (see sixgate intents list); {self._again()}"

    def _known(self) -> str:
        unanswered = self.sent - self.accepted
        if not unanswered:
            return f"{self.accepted} of {self.total} intents were accepted and will be judged"
        if not self.accepted:
            return (
                f"up to {unanswered} of {self.total} intents may have been accepted: the answer "
                "had not come"
            )
        return (
            f"{self.accepted} of {self.total} intents were accepted and up to {unanswered} more "
            "may have been: the answer had not come"
        )

    def _again(self) -> str:
        if self.saved:
            return f"sixgate submit {self.saved} sends them all again and nothing is signed twice"
        return "the same file again would be new intents; with --save FILE it can be repeated"
