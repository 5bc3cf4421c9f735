"""Composition of webhooks: their file, the source of their events, and the deliveries."""

import logging
import secrets
import ssl
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sixgate.backends.ports import Read
from sixgate.clocks import wall_ms
from sixgate.config.api import WebhookSettings
from sixgate.gateway.database import Database
from sixgate.gateway.outcome_order import OutcomeOrder
from sixgate.webhooks.connection import resolve_name
from sixgate.webhooks.delivery import Deliveries, HttpSender
from sixgate.webhooks.destinations import DestinationRules
from sixgate.webhooks.ordered_outcomes import OrderedOutcomes
from sixgate.webhooks.service import Webhooks
from sixgate.webhooks.store import WebhookStore

_LOG = logging.getLogger("sixgate.webhooks")
_JITTER_STEPS = 1_000


@contextmanager
def running_webhooks(
    path: Path, database: Database, read: Read, settings: WebhookSettings
) -> Iterator[Webhooks]:
    """Lend the webhooks of a gateway, delivered until the block ends.

    Raises ``LogError``, and ``PrivateFileError`` if others can read the secrets.
    """
    rules = DestinationRules(settings.allowed_networks)
    sender = HttpSender(rules, resolve_name, ssl.create_default_context())
    with read.feed() as feed, closing(WebhookStore(path)) as store:
        given = max((endpoint.position for endpoint in store.all()), default=0)
        order = OutcomeOrder(database, feed.identity(), given)
        source = OrderedOutcomes(feed, order, read)
        deliveries = Deliveries(store, source, sender, wall_ms, _jitter)
        deliveries.start(_report)
        feed.on_change(deliveries.wake)
        try:
            yield Webhooks(store, source, rules, secrets.token_bytes, wall_ms, deliveries.wake)
        finally:
            deliveries.stop()


def _jitter() -> float:
    return secrets.randbelow(_JITTER_STEPS) / _JITTER_STEPS


def _report(error: BaseException) -> None:
    # Signing goes on: it does not depend on webhooks, and the next start continues the deliveries.
    _LOG.error("webhook.stopped", extra={"error": type(error).__name__})
