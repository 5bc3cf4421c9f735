"""What custody knows, from Kafka: as the topics end when it is asked, under a fresh head."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson

from schemas.audit import action_of
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.custody_records import CustodyRecords
from signer.freshness import require_not_withheld
from sixgate.scaled.appender import Appender
from sixgate.scaled.freshness import Freshness
from sixgate.scaled.monitor import Monitor
from streams.kafka.errors import KafkaUnreachableError
from streams.kafka.projections import Projections

READ_S_MAX = 20.0
T = TypeVar("T")


class KafkaReadEnvironment:
    """The ``ReadEnvironment`` of a process on Kafka; threads beside the loop call it.

    Whoever is lent what is known has the lock, and nothing is read without it. Calls of KMSs go
    on record with what they were made for; those of a provider that nobody waited for, later.
    """

    def __init__(
        self,
        known: Projections,
        fresh: Freshness,
        appender: Appender,
        records: CustodyRecords,
        monitor: Monitor,
        now_ms: Callable[[], int],
    ) -> None:
        """Made on the loop that serves ``known``."""
        self.actor = records.actor
        self._known = known
        self._fresh = fresh
        self._appender = appender
        self._records = records
        self._monitor = monitor
        self._now_ms = now_ms
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._telling = threading.Lock()

    @contextmanager
    def current(self) -> Iterator[int]:
        """Read to the end, lend it, and the time; raises what ends the process."""
        with self._lock:
            self._run(self._renew())
            yield self._now_ms()

    def record(self, event: Outgoing) -> None:
        """Append to ``audit``, with the calls of KMSs so far; raises ``KafkaBusError``."""
        self._append(event)

    def keep_up(self) -> None:
        """Read what came, and put on record what nobody has waited for."""
        with self.current():
            pass
        self.settle()

    def settle(self) -> None:
        """Put on record which KMSs were called since the last record."""
        self._append()

    async def _renew(self) -> None:
        """Read registry and vault to their end; what lacks a record that a head names is less."""
        head = await self._fresh.head()
        await self._known.refresh()
        if head is not None:
            require_not_withheld(head, self._known.view.registry)

    def _append(self, *last: Outgoing) -> None:
        with self._telling:
            # Whose calls go with another's record has his own behind it: what he answers by is
            # there only if they are.
            events = [*self._records.records((), self._now_ms()), *last]
            if not events:
                return
            begun = self._appender.begin(events)
        self._appender.end(begun)
        for event in events:
            assert event.topic is Topic.AUDIT  # noqa: S101 - custody writes nothing else
            self._monitor.audited(action_of(event.value))
            self._count(event)

    def _count(self, event: Outgoing) -> None:
        """Count what was decided: reads by their operation, and what proved nothing."""
        found = orjson.loads(event.value)  # our own, just made: nothing to be proven
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
                f"Kafka gives no records for {READ_S_MAX:g} s: look at its log."
            ) from None
