"""Signed transactions in the order of their commits, for as long as somebody reads them."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress

import orjson

from schemas.canonical import MalformedError
from schemas.outcome import Signed, decode_outcome
from schemas.record import Outgoing
from signer.registry import Registry
from signer.signatures import InvalidSignatureError
from signer.signer_events import verify_signer_event
from sixgate.api import Json
from sixgate.embedded.pipeline import Pipeline

FOLLOW_S = 0.2
READ_COUNT_MAX = 500


class SignedFeed:
    """Reads a pipeline's signed transactions; ``committed`` tells those who follow."""

    def __init__(self) -> None:
        self._news = threading.Condition()

    def committed(self, _events: Sequence[Outgoing]) -> None:
        """Wake whoever follows."""
        with self._news:
            self._news.notify_all()

    def read(self, pipeline: Pipeline, after: int, *, follow: bool) -> Iterator[Json | None]:
        """Yield ``{position, event}``, and None whenever there was nothing for a moment."""
        position = after
        with closing(pipeline.parts.reader()) as log:
            while True:
                page = log.signed_after(position, READ_COUNT_MAX)
                for proved, event in _proved(page, pipeline.parts.runner.stage.registry):
                    yield {"position": proved, "event": orjson.loads(event)}
                if page:
                    position = page[-1][0]
                    continue
                if not follow:
                    return
                pipeline.check_running()
                with self._news:
                    self._news.wait(FOLLOW_S)
                yield None


def _proved(found: list[tuple[int, bytes]], registry: Registry) -> Iterator[tuple[int, bytes]]:
    """Yield the transactions that the signer really signed.

    Whoever writes to the log could add what nobody signed, or a genuine refusal.
    """
    for position, raw in found:
        with suppress(MalformedError, InvalidSignatureError):
            outcome = decode_outcome(raw)
            verify_signer_event(outcome, registry)
            if isinstance(outcome, Signed):
                yield position, raw
