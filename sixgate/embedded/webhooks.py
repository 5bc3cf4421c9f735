"""Webhooks of a data folder: the outcomes in its pipeline's log, and their deliveries."""

import logging
import secrets
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

from schemas.canonical import MalformedError
from schemas.outcome import decode_outcome
from signer.registry import Registry
from signer.signatures import InvalidSignatureError
from signer.signer_events import verify_signer_event
from sixgate.clocks import wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.embedded.node import Node
from sixgate.settings.attestation import EmbeddedSettings
from sixgate.settings.loading import load
from sixgate.webhooks.connection import resolve_name
from sixgate.webhooks.delivery import Deliveries, HttpSender
from sixgate.webhooks.destinations import DestinationRules
from sixgate.webhooks.events import WebhookEvent, webhook_event
from sixgate.webhooks.service import Webhooks
from sixgate.webhooks.store import WebhookStore
from streams.log.pipeline import PipelineLog

_LOG = logging.getLogger("sixgate.webhooks")
_JITTER_STEPS = 1_000


class LoggedOutcomes:
    """The outcomes of a log as webhook events; any thread may call. Offsets are log positions.

    Outcomes that no registered signer signed are left out: a writer of the log could add them.
    """

    def __init__(self, log: PipelineLog, registry: Registry) -> None:
        self._log = log
        self._registry = registry
        self._lock = threading.Lock()
        # No outcome has a position above the first and up to the second. Without this, each poll
        # between two outcomes would read the records of other topics again.
        self._empty_from, self._empty_to = 0, 0

    def after(self, offset: int, limit: int) -> Sequence[tuple[int, WebhookEvent]]:
        """See ``EventSource.after``."""
        with self._lock:
            inside = self._empty_from <= offset <= self._empty_to
            start = self._empty_to if inside else offset
            end = self._log.last_position()
            while start < end:
                rows = self._log.outcomes_between(start, end, limit)
                if found := list(self._verified(rows)):
                    return found
                start = rows[-1][0] if len(rows) == limit else end
            if not inside:
                self._empty_from = offset
            self._empty_to = end
            return []

    def end(self) -> int:
        """See ``EventSource.end``: here the position of the newest record of any topic."""
        with self._lock:
            return self._log.last_position()

    def _verified(self, rows: Sequence[tuple[int, bytes]]) -> Iterator[tuple[int, WebhookEvent]]:
        for position, raw in rows:
            with suppress(MalformedError, InvalidSignatureError):
                outcome = decode_outcome(raw)
                verify_signer_event(outcome, self._registry)
                yield position, webhook_event(outcome, self._chain_name)

    def _chain_name(self, chain_id: int) -> str | None:
        chain = self._registry.chains.get(chain_id)
        return chain.name if chain else None


@contextmanager
def running_webhooks(folder: Folder, node: Node) -> Iterator[Webhooks]:
    """Lend the webhooks of a folder, delivered until the block ends.

    Raises ``SettingsError``, ``LogError``, and ``PrivateFileError`` if others can read the secrets.
    """
    rules = DestinationRules(load(EmbeddedSettings, None).webhooks.allowed_networks)
    sender = HttpSender(rules, resolve_name, ssl.create_default_context())
    with (
        closing(node.pipeline.parts.reader()) as log,
        closing(WebhookStore(folder.webhooks)) as store,
    ):
        source = LoggedOutcomes(log, node.stage.registry)
        deliveries = Deliveries(store, source, sender, wall_ms, _jitter)
        deliveries.start(_report)
        try:
            yield Webhooks(store, source, rules, secrets.token_bytes, wall_ms, deliveries.wake)
        finally:
            deliveries.stop()


def _jitter() -> float:
    return secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS


def _report(error: BaseException) -> None:
    # Signing goes on: it does not depend on webhooks, and the next start continues the deliveries.
    _LOG.error("webhook.stopped", extra={"error": type(error).__name__})
