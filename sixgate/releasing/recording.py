"""What a release decided, on its topic before anybody sees it."""

from collections.abc import Callable

from schemas.record import Outgoing
from schemas.release import AnyDecision, ReleaseRefused, decode_decision
from schemas.topics import Topic
from sixgate.scaled.appender import Appender

DECISION = "a decision of the release"


class TopicRecorder:
    """A ``Recorder`` on the topic ``releases``, called from threads beside the sender's loop."""

    def __init__(self, appender: Appender, recorded: Callable[[str, str], None]) -> None:
        """Tell ``recorded`` type and reason of each decision that is on the topic."""
        self._appender = appender
        self._recorded = recorded

    def record(self, event: bytes) -> None:
        """Append a decision; raises as ``Appender.append``."""
        self._appender.append([Outgoing(Topic.RELEASES, "", event)])
        self._recorded(*_kind(decode_decision(event)))


def _kind(decision: AnyDecision) -> tuple[str, str]:
    reason = decision.reason.value if isinstance(decision, ReleaseRefused) else ""
    return decision.type, reason
