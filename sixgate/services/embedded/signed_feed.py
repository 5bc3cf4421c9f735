"""Feed of signed transactions in commit order, from a folder's pipeline."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

from schemas.canonical import MalformedError
from schemas.intents.outcome import Signed, decode_outcome
from schemas.record import Outgoing
from signer.core.errors import InvalidSignatureError
from signer.core.registry.registry import Registry
from signer.keys.signer_events import verify_signer_event
from sixgate.backends.ports import SignedEvent
from sixgate.services.embedded.pipeline import Pipeline

FOLLOW_S = 0.2
READ_COUNT_MAX = 500


class SignedFeed:
    """Reads a pipeline's signed transactions; ``committed`` wakes readers that follow."""

    def __init__(self) -> None:
        self._commit = threading.Condition()

    def committed(self, _events: Sequence[Outgoing]) -> None:
        """Wake the readers that follow."""
        with self._commit:
            self._commit.notify_all()

    def read(self, pipeline: Pipeline, after: int, *, follow: bool) -> Iterator[SignedEvent | None]:
        """Yield signed transactions, and None as a tick while there is nothing to read."""
        position = after
        with closing(pipeline.parts.reader()) as log:
            while True:
                page = log.signed_after(position, READ_COUNT_MAX)
                yield from _verified(page, pipeline.slot.registry)
                if page:
                    position = page[-1][0]
                    continue
                if not follow:
                    return
                pipeline.check_running()
                with self._commit:
                    self._commit.wait(FOLLOW_S)
                yield None


def _verified(page: list[tuple[int, bytes]], registry: Registry) -> Iterator[SignedEvent]:
    """Yield the transactions with a valid signature of the signer.

    A writer of the log could add forged transactions, or genuine rejections.
    """
    for position, raw in page:
        with suppress(MalformedError, InvalidSignatureError):
            outcome = decode_outcome(raw)
            verify_signer_event(outcome, registry)
            if isinstance(outcome, Signed):
                yield SignedEvent(position, raw)
