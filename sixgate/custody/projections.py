"""Custody's view of registry and vault on Kafka, read to the end under a fresh registry head."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson

from schemas.ledger.audit import action_of
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.keys.custody_records import CustodyRecords
from signer.stage.freshness import require_not_withheld
from sixgate.backends.kafka.appender import Appender
from sixgate.services.freshness import Freshness
from sixgate.services.monitor import Monitor
from streams.kafka.errors import KafkaUnreachableError
from streams.kafka.projections import Projections

READ_S_MAX = 20.0
T = TypeVar("T")


class KafkaReadEnvironment:
    """The ``ReadEnvironment`` of a process on Kafka; threads beside the event loop call it.

    A lock protects the view: nothing is read from Kafka while a thread uses it. KMS calls are
    recorded with the request they were made for; calls of abandoned providers later.
    """

    def __init__(
        self,
        projections: Projections,
        fresh: Freshness,
        appender: Appender,
        records: CustodyRecords,
        monitor: Monitor,
        now_ms: Callable[[], int],
    ) -> None:
        """Must be called on the event loop that runs ``projections``."""
        self.actor = records.actor
        self._projections = projections
        self._fresh = fresh
        self._appender = appender
        self._records = records
        self._monitor = monitor
        self._now_ms = now_ms
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._append_lock = threading.Lock()

    @contextmanager
    def current(self) -> Iterator[int]:
        """Read to the end; hold the view and yield the time; raises what ends the process."""
        with self._lock:
            self._run(self._refresh())
            yield self._now_ms()

    def record(self, event: Outgoing) -> None:
        """Append to ``audit``, after all KMS calls so far; raises ``KafkaBusError``."""
        self._append(event)

    def poll(self) -> None:
        """Read new records, and record KMS calls that no request waited for."""
        with self.current():
            pass
        self.flush_records()

    def flush_records(self) -> None:
        """Record the KMS calls since the last record."""
        self._append()

    async def _refresh(self) -> None:
        """Read registry and vault to their end; refuse a registry without the head's records."""
        head = await self._fresh.head()
        await self._projections.refresh()
        if head is not None:
            require_not_withheld(head, self._projections.view.registry)

    def _append(self, *last: Outgoing) -> None:
        with self._append_lock:
            # Another thread's record may carry the KMS calls of this request. The lock keeps this
            # request's record behind them, so its answer implies that they are recorded.
            events = [*self._records.records((), self._now_ms()), *last]
            if not events:
                return
            pending = self._appender.begin(events)
        self._appender.end(pending)
        for event in events:
            assert event.topic is Topic.AUDIT  # noqa: S101 - custody writes nothing else
            self._monitor.audited(action_of(event.value))
            self._count(event)

    def _count(self, event: Outgoing) -> None:
        """Count decisions in the metrics: reads by operation, and unverified requests."""
        found = orjson.loads(event.value)  # our own event: no validation needed
        if found["type"] == "secret.access":
            self._monitor.decided(f"secret.{found['operation']}", found.get("reason") or "")
        elif found["action"] == "read.refused":
            self._monitor.decided("secret", found["action"])

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        waiting = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return waiting.result(READ_S_MAX)
        except TimeoutError:
            waiting.cancel()
            raise KafkaUnreachableError(
                f"Kafka returned no records for {READ_S_MAX:g} s: see the brokers' log."
            ) from None
