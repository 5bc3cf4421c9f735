"""Recorder of a release: puts each decision on its topic before the answer is sent."""

from collections.abc import Callable

from schemas.keys.release import AnyDecision, ReleaseRefused, decode_decision
from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.backends.kafka.appender import Appender

DECISION = "a decision of the release"


class TopicRecorder:
    """A ``Recorder`` on the topic ``releases``; not called from the sender's loop."""

    def __init__(self, appender: Appender, on_recorded: Callable[[str, str], None]) -> None:
        """Call ``on_recorded`` with type and reason of each recorded decision."""
        self._appender = appender
        self._on_recorded = on_recorded

    def record(self, event: bytes) -> None:
        """Append a decision durably; raises as ``Appender.append`` does."""
        self._appender.append([Outgoing(Topic.RELEASES, "", event)])
        self._on_recorded(*_kind(decode_decision(event)))


def _kind(decision: AnyDecision) -> tuple[str, str]:
    reason = decision.reason.value if isinstance(decision, ReleaseRefused) else ""
    return decision.type, reason
