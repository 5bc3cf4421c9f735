"""Webhooks of one organisation, with a list of events and a clock that tests move."""

import ssl
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

from sixgate.webhooks.connection import TIMEOUT_S
from sixgate.webhooks.delivery import Deliveries, HttpSender
from sixgate.webhooks.destinations import DestinationRules, Resolve
from sixgate.webhooks.events import TRANSACTION_SIGNED, WebhookEvent
from sixgate.webhooks.service import Webhooks
from sixgate.webhooks.store import Endpoint, WebhookStore
from tests.harness.builders.waiting import WAIT_S_MAX

NOW_MS = 1_800_000_000_000
LOOPBACK = DestinationRules((ip_network("127.0.0.1/32"),))
PERSON = "user:owner"


class ListSource:
    """Events in a list; the offset of the first one is 1."""

    def __init__(self) -> None:
        self.events: list[WebhookEvent] = []

    def add(self, name: str = TRANSACTION_SIGNED) -> WebhookEvent:
        """Append an event with the next number as its id."""
        number = len(self.events) + 1
        event = WebhookEvent(f"evt_{number}", name, NOW_MS, {"id": str(number)})
        self.events.append(event)
        return event

    def after(self, offset: int, limit: int) -> Sequence[tuple[int, WebhookEvent]]:
        return list(enumerate(self.events, 1))[offset : offset + limit]

    def end(self) -> int:
        return len(self.events)


def resolve_loopback(_host: str, _port: int) -> Sequence[str]:
    """Resolve every name to 127.0.0.1."""
    return ["127.0.0.1"]


class Rig:
    """A service with its deliveries, run step by step; ``now_ms`` is its clock."""

    def __init__(
        self,
        folder: Path,
        rules: DestinationRules = LOOPBACK,
        resolve: Resolve = resolve_loopback,
        tls: ssl.SSLContext | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.now_ms = NOW_MS
        self.store = WebhookStore(folder / "webhooks.db")
        self.source = ListSource()
        self._drawn = 0
        self.webhooks = Webhooks(self.store, self.source, rules, self._draw, self._clock)
        sender = HttpSender(rules, resolve, tls or ssl.create_default_context(), timeout_s)
        self.deliveries = Deliveries(self.store, self.source, sender, self._clock, lambda: 0.0)

    def create(self, url: str, events: Sequence[str] = ("*",)) -> Endpoint:
        """Create a webhook with a generated secret."""
        return self.webhooks.create(url, events, None, PERSON)[0]

    def run(self) -> None:
        """Deliver everything that is due now."""
        while self.deliveries.step():
            assert self.deliveries.settle(WAIT_S_MAX)

    def later(self, by_ms: int) -> None:
        """Move the clock and deliver everything that is due then."""
        self.now_ms += by_ms
        self.run()

    def _clock(self) -> int:
        return self.now_ms

    def _draw(self, count: int) -> bytes:
        self._drawn += 1
        return self._drawn.to_bytes(count, "big")
