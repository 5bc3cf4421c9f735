"""The outcomes of a log as webhook events, in one durable order."""

import threading
from collections.abc import Hashable, Iterator, Sequence

from schemas.intents.outcome import AnyOutcome
from schemas.record import Record
from schemas.topics import Topic
from sixgate.backends.ports import LogFeed, RegistryRead
from sixgate.gateway.outcome_order import OutcomeOrder, Run
from sixgate.gateway.transaction_fold import verified_outcome
from sixgate.webhooks.events import WebhookEvent, webhook_event


class OrderedOutcomes:
    """Implements ``EventSource``; any thread may call. Offsets are numbers of ``OutcomeOrder``.

    Outcomes that no registered signer signed are left out: a writer of the topic could add them.
    Outcomes that the log no longer has are left out too.
    """

    def __init__(self, feed: LogFeed, order: OutcomeOrder, read: RegistryRead) -> None:
        self._feed = feed
        self._order = order
        self._read = read
        self._lock = threading.Lock()
        self._version: Hashable = None
        # No event has a number above the first and up to the second. Without this, each poll would
        # read the same foreign records again.
        self._empty_from, self._empty_to = 0, 0

    def after(self, offset: int, limit: int) -> Sequence[tuple[int, WebhookEvent]]:
        """See ``EventSource.after``."""
        with self._lock:
            if self._version != self._feed.version():
                self._number_new()
            is_inside = self._empty_from <= offset <= self._empty_to
            start = self._empty_to if is_inside else offset
            while run := self._order.run_after(start):
                records = self._page(run, start, limit)
                if found := list(self._verified(run, records)):
                    return found
                start = run.number_of(records[-1].offset) if records else run.next - 1
            if not is_inside:
                self._empty_from = offset
            self._empty_to = start
            return []

    def end(self) -> int:
        """See ``EventSource.end``."""
        with self._lock:
            self._number_new()
            return self._order.last()

    def _number_new(self) -> None:
        version = self._feed.refresh()
        partitions = range(self._feed.partitions_of(Topic.OUTCOMES))
        self._order.extend({p: self._feed.end(Topic.OUTCOMES, p) for p in partitions})
        self._version = version

    def _page(self, run: Run, after: int, limit: int) -> list[Record]:
        """Return the next records of a run; none if the log has none of them left."""
        offset = run.offset_of(max(after + 1, run.first))
        found = self._feed.read(Topic.OUTCOMES, run.partition, offset, limit)
        return [record for record in found if record.offset < run.offset_of(run.next)]

    def _verified(self, run: Run, records: Sequence[Record]) -> Iterator[tuple[int, WebhookEvent]]:
        for record, outcome in zip(records, self._outcomes(records), strict=True):
            if outcome is not None:
                yield run.number_of(record.offset), webhook_event(outcome, self._chain_name)

    def _outcomes(self, records: Sequence[Record]) -> list[AnyOutcome | None]:
        """Return the outcome in each record, or None unless a registered signer signed it."""
        found = [verified_outcome(record, self._read.registered) for record in records]
        if None not in found:
            return found
        self._read.refresh()  # its signer may have been registered since
        return [
            outcome or verified_outcome(record, self._read.registered)
            for record, outcome in zip(records, found, strict=True)
        ]

    def _chain_name(self, chain_id: int) -> str | None:
        chain = self._read.registered.chains.get(chain_id)
        return chain.name if chain else None
