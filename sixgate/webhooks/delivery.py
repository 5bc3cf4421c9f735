"""Delivery of events to webhooks: in order per webhook, at least once, each webhook on its own.

1. One thread finds the due webhooks and reads the events after each one's position, after every
   commit and every ``POLL_S``.
2. A worker per webhook with events sends them one after another. Webhooks are bounded in number
   and each has at most one worker, so a slow receiver delays only its own events.
3. A success is recorded before the next event is sent. *If the process ends before the record, the
   event is sent again, with the same id and body.*
4. A failure ends the worker; the same event is tried again after a back-off. After three days of
   failures, or the status 410 (gone), the webhook is disabled and says why.
"""

import logging
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from signer.custody.thread_pool import run_in_thread
from sixgate.services.embedded.loops import Loop
from sixgate.webhooks.connection import TIMEOUT_S, Deadline, post
from sixgate.webhooks.destinations import (
    DestinationRules,
    Resolve,
    checked_addresses,
    parse_destination,
)
from sixgate.webhooks.errors import DeliveryError, DestinationError
from sixgate.webhooks.events import EventSource, WebhookEvent
from sixgate.webhooks.retries import delay_ms, gives_up
from sixgate.webhooks.signing import signed_headers
from sixgate.webhooks.store import Endpoint, Failure, WebhookStore

_LOG = logging.getLogger("sixgate.webhooks")
PAGE_COUNT_MAX: Final = 100
POLL_S: Final = 1.0
STOP_S_MAX: Final = 5.0
GONE: Final = 410
SUCCESS: Final = range(200, 300)
REDIRECT: Final = range(300, 400)

Send: TypeAlias = Callable[[Endpoint, WebhookEvent, int], int]
"""Sends one event at a time in ms and returns the status; raises ``WebhookError``."""
Page: TypeAlias = Sequence[tuple[int, WebhookEvent]]


class HttpSender:
    """Sends signed events by HTTP. It checks the URL and its addresses again at every attempt."""

    def __init__(
        self,
        rules: DestinationRules,
        resolve: Resolve,
        tls: ssl.SSLContext,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._rules = rules
        self._resolve = resolve
        self._tls = tls
        self._timeout_s = timeout_s

    def __call__(self, endpoint: Endpoint, event: WebhookEvent, now_ms: int) -> int:
        """Send an event; raise ``DestinationError`` or ``DeliveryError``."""
        deadline = Deadline(self._timeout_s)
        destination = parse_destination(endpoint.url, self._rules)
        addresses = checked_addresses(destination, self._resolve, self._rules)
        body = event.body()
        headers = signed_headers(endpoint.secret, event.id, now_ms // 1000, body)
        return post(destination, addresses, headers, body, self._tls, deadline)


class Deliveries:
    """Delivers the events of a source to the webhooks of a store.

    ``clock`` returns milliseconds since 1970, ``jitter`` draws from [0, 1).
    """

    def __init__(
        self,
        store: WebhookStore,
        source: EventSource,
        send: Send,
        clock: Callable[[], int],
        jitter: Callable[[], float],
    ) -> None:
        self._store = store
        self._source = source
        self._send = send
        self._clock = clock
        self._jitter = jitter
        self._busy: set[str] = set()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._loop: Loop | None = None

    def start(self, on_failure: Callable[[BaseException], None]) -> None:
        """Start the thread. ``on_failure`` gets the error that ends it, such as a full disk."""
        self._loop = Loop("webhooks", self.step, on_failure, idle_s=POLL_S)
        self._loop.start()

    def wake(self) -> None:
        """Look for new events now instead of at the next poll."""
        if self._loop is not None:
            self._loop.wake()

    def stop(self) -> None:
        """End the thread, and wait for deliveries under way, but not for slow receivers.

        An abandoned delivery is repeated after the next start.
        """
        self._stopping.set()
        if self._loop is not None:
            self._loop.stop()
        self.settle(STOP_S_MAX)

    def settle(self, within_s: float) -> bool:
        """Wait until no delivery is under way; return False after the time-out."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._busy, within_s)

    def step(self) -> int:
        """Start a worker for each due webhook with events; return how many were started.

        Raises the error of a worker that could not record its result.
        """
        if self._failure is not None:
            raise self._failure
        # Busy ones first: a webhook without a worker now was read after its last worker's record.
        with self._changed:
            busy = frozenset(self._busy)
        idle = [found for found in self._store.due(self._clock()) if found.id not in busy]
        return sum(map(self._start, idle))

    def _start(self, endpoint: Endpoint) -> bool:
        """Start a worker for a webhook; return False if there is nothing to send."""
        page = self._source.after(endpoint.position, PAGE_COUNT_MAX)
        if not page:
            return False
        with self._changed:
            self._busy.add(endpoint.id)
        try:
            run_in_thread(lambda: self._work(endpoint, page))
        except RuntimeError:  # the process has as many threads as it may have: at the next poll
            self._done(endpoint)
            return False
        return True

    def _work(self, endpoint: Endpoint, page: Page) -> None:
        """Deliver a page in a thread of its own; keep an unexpected error for ``step``."""
        try:
            self._deliver(endpoint, page)
        except BaseException as error:  # noqa: BLE001 - passed to the owner by the next step
            self._failure = error
        finally:
            self._done(endpoint)
            self.wake()

    def _done(self, endpoint: Endpoint) -> None:
        with self._changed:
            self._busy.discard(endpoint.id)
            self._changed.notify_all()

    def _deliver(self, endpoint: Endpoint, page: Page) -> None:
        passed = endpoint.position
        for offset, event in page:
            if endpoint.wants(event.type):
                # 2. A webhook that people changed meanwhile goes on with its new URL and secret.
                if self._stopping.is_set() or not self._store.is_current(endpoint):
                    return
                if not self._attempt(endpoint, event):
                    return
                # 3.
                self._store.record_delivered(endpoint, offset)
                endpoint = replace(endpoint, position=offset, failures=0, failing_since_ms=None)
            passed = offset
        # Events without a subscription at the end of the page: not to be read again.
        if passed > endpoint.position:
            self._store.record_delivered(endpoint, passed)

    def _attempt(self, endpoint: Endpoint, event: WebhookEvent) -> bool:
        """Send one event and record a failure; return whether it was delivered."""
        try:
            status = self._send(endpoint, event, self._clock())
        except (DeliveryError, DestinationError) as error:
            status, problem = 0, str(error)
        else:
            problem = _problem(status)
        if status in SUCCESS:
            return True
        self._record_failure(endpoint, problem, gone=status == GONE)
        return False

    def _record_failure(self, endpoint: Endpoint, problem: str, *, gone: bool) -> None:
        # 4.
        now_ms = self._clock()
        since_ms = now_ms if endpoint.failing_since_ms is None else endpoint.failing_since_ms
        reason = None
        if gone:
            reason = f"the receiver does not want more events: {problem}"
        elif gives_up(since_ms, now_ms):
            reason = f"an event could not be delivered for three days: {problem}"
        next_ms = now_ms + delay_ms(endpoint.failures + 1, self._jitter())
        self._store.record_failed(endpoint, Failure(problem, now_ms, next_ms, reason))
        facts = {"webhook": endpoint.id, "failures": endpoint.failures + 1, "problem": problem}
        if reason is None:
            _LOG.warning("webhook.failed", extra=facts)
        else:
            _LOG.error("webhook.disabled", extra=facts)


def _problem(status: int) -> str:
    if status in REDIRECT:
        return f"the receiver answered with a redirect (status {status}), which is not followed"
    return f"the receiver answered with status {status}"
