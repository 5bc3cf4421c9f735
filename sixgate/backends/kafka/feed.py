"""The log on Kafka as a feed for projections.

One thread runs the connections. It looks for the ends of the partitions every ``POLL_S``, so that
``version`` needs no answer from Kafka; ``refresh`` looks for them now.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from schemas.record import PartitionId, Record
from schemas.topics import TOPICS, Topic
from sixgate.api.errors import api_error, as_api_errors
from streams.kafka.admin import Admin
from streams.kafka.broker import Broker
from streams.kafka.loop import LoopThread
from streams.kafka.page_reader import PageReader

POLL_S = 0.1
T = TypeVar("T")
Ends: TypeAlias = tuple[tuple[PartitionId, int], ...]


class KafkaFeed:
    """Implements ``LogFeed`` for some topics; any thread may call."""

    def __init__(self, broker: Broker, topics: Sequence[Topic], keyed_count: int) -> None:
        """Connect; ``keyed_count`` is the number of partitions of keyed topics.

        Raises ``KafkaBusError``.
        """
        self._keyed_count = keyed_count
        self._partitions = [
            (topic, partition) for topic in topics for partition in range(self.partitions_of(topic))
        ]
        self._lock = threading.Lock()
        self._ends: dict[PartitionId, int] = {}
        self._version: Ends = ()
        self._failure: Exception | None = None
        self._on_change: Callable[[], None] = lambda: None
        self._loop = LoopThread("kafka-feed")
        try:
            self._reader = self._loop.call(lambda: PageReader(broker, self._partitions))
            self._identity = f"{self._loop.run(_cluster_id(broker))}/{broker.names.prefix}"
            self._loop.run(self._reader.__aenter__())
            self._polling = self._loop.call(lambda: asyncio.create_task(self._poll()))
        except BaseException:
            self._loop.close()
            raise

    def identity(self) -> str:
        """See ``LogFeed.identity``: the cluster, and the prefix of the topics."""
        return self._identity

    def version(self) -> Ends:
        """See ``LogFeed.version``."""
        if self._failure is not None:
            raise api_error(self._failure) from self._failure
        return self._version

    def on_change(self, call: Callable[[], None]) -> None:
        """See ``LogFeed.on_change``: at most ``POLL_S`` after the records."""
        self._on_change = call

    def refresh(self) -> Ends:
        """See ``LogFeed.refresh``."""
        with self._lock:
            found = self._run(self._find_ends())
            self._ends = dict(found)
            self._version = found
        return found

    def partitions_of(self, topic: Topic) -> int:
        """See ``LogFeed.partitions_of``."""
        return TOPICS[topic].partitions(self._keyed_count)

    def end(self, topic: Topic, partition: int) -> int:
        """See ``LogFeed.end``."""
        return self._ends[topic, partition]

    def read(self, topic: Topic, partition: int, offset: int, count_max: int) -> Sequence[Record]:
        """See ``LogFeed.read``."""
        where = (topic, partition)
        with self._lock:
            end = self._ends[where]
            if offset >= end:
                return []
            return self._run(self._reader.read(where, offset, end, count_max))

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            self._loop.call(self._polling.cancel)
            try:
                self._loop.run(self._reader.__aexit__())
            finally:
                self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        with as_api_errors():
            return self._loop.run(work)

    async def _find_ends(self) -> Ends:
        """Return the ends of all partitions.

        Intents come last: the intent of an outcome before its partition's end was appended earlier,
        so it is before the end of its own partition.
        """
        intents = [where for where in self._partitions if where[0] is Topic.SUBMITTED]
        others = [where for where in self._partitions if where[0] is not Topic.SUBMITTED]
        found = await self._reader.ends(others) if others else {}
        found |= await self._reader.ends(intents) if intents else {}
        return tuple((where, found[where]) for where in self._partitions)

    async def _poll(self) -> None:
        while True:
            try:
                before, self._version = self._version, await self._find_ends()
                self._failure = None
                if self._version != before:
                    self._on_change()
            except Exception as error:  # noqa: BLE001 - an ended task would hide new records
                self._failure = error  # each read says why, until Kafka answers again
            await asyncio.sleep(POLL_S)


@contextmanager
def kafka_feed(broker: Broker, topics: Sequence[Topic], keyed_count: int) -> Iterator[KafkaFeed]:
    """Lend a feed of some topics, with connections of its own; raises ``ApiError``."""
    with as_api_errors():
        feed = KafkaFeed(broker, topics, keyed_count)
    try:
        yield feed
    finally:
        feed.close()


async def _cluster_id(broker: Broker) -> str:
    async with Admin(broker) as admin:
        return await admin.cluster_id()
