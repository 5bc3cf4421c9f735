"""Kafka as the log of the ledger's sink.

Reading continues at the sink's positions: no consumer group, no committed offsets. Only records of
committed transactions are read. Transaction markers take offsets too, so offsets have gaps.
"""

import time
from collections.abc import Iterable, Iterator, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from schemas.record import PartitionId, Record
from schemas.topics import Topic
from streams.kafka.broker import Broker
from streams.kafka.loop import LoopThread
from streams.kafka.reader import PartitionLag, load_metadata
from streams.kafka.records import record_of
from streams.kafka.translation import invisible_topic, translated
from streams.ledger.errors import LedgerGapError
from streams.ledger.ordering import LEDGER_TOPICS, refuse_gap

# Few large inserts cost the table less than many small ones; this adds to the ledger's lag.
LINGER_MS = 300
POLL_MS = 500
READ_BYTES_MAX = 32 * 1024 * 1024


class KafkaSource:
    """The committed records of every topic in the ledger; implements ``Source`` for the sink."""

    def __init__(
        self, loop: LoopThread, broker: Broker, topics: Iterable[Topic] = LEDGER_TOPICS
    ) -> None:
        """Open ``topics`` with their current partitions, whose number never changes.

        Raises ``KafkaBusError`` if no broker answers, access is denied, or a topic is missing.
        """
        self._loop = loop
        self._names = broker.names
        self._consumer: AIOKafkaConsumer = loop.call(broker.consumer)
        self._fetch_offsets: dict[TopicPartition, int] = {}
        self._firsts: dict[TopicPartition, int] = {}
        self._consumed: dict[TopicPartition, int] = {}
        self._assigned = self._loop.run(self._open(tuple(topics)))

    def read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        """Return at most ``limit`` records, the next ones of each partition.

        Waits up to ``POLL_MS`` for the first and then ``LINGER_MS`` for more; an empty list means
        timeout. Raises ``LedgerGapError`` if the log does not hold a position, ``KafkaBusError``.
        """
        self._firsts = {}
        return self._loop.run(self._read(positions, limit))

    def earliest(self, topic: Topic, partition: int) -> int:
        """Return the first offset the log still holds, as of the last ``read``."""
        if not self._firsts:
            self._firsts = self._loop.run(self._first_offsets())
        return self._firsts[self._names.at(topic, partition)]

    def end(self, topic: Topic, partition: int) -> int:
        """Return the last stable offset: every transaction before it is committed or aborted."""
        return self._loop.run(self._end(self._names.at(topic, partition)))

    def lag(self) -> Iterator[PartitionLag]:
        """Yield every partition's consumed position at the last ``read``, and its end.

        By calling ``read`` the caller confirms that it appended the records of the call before. A
        position counts transaction markers too, so that a log without unread records has no lag.
        """
        for at, position in self._consumed.items():
            end = self._consumer.last_stable_offset(at)
            if end is not None:
                yield PartitionLag(self._names.label(at), position, end)

    def close(self) -> None:
        """Disconnect from the broker; the loop belongs to the caller."""
        self._loop.run(self._consumer.stop())

    async def _open(self, topics: tuple[Topic, ...]) -> list[TopicPartition]:
        try:
            with translated("opening the log", self._names):
                await self._consumer.start()
                await load_metadata(self._consumer, topics, self._names)
            partitions = [at for topic in topics for at in self._partitions(topic)]
            self._consumer.assign(partitions)
        except BaseException:
            await self._consumer.stop()
            raise
        return partitions

    def _partitions(self, topic: Topic) -> list[TopicPartition]:
        found = self._consumer.partitions_for_topic(self._names.of(topic))
        if not found:
            cluster = self._consumer._client.cluster  # noqa: SLF001 - no public way
            raise invisible_topic(topic, self._names, cluster.unauthorized_topics)
        return [self._names.at(topic, number) for number in sorted(found)]

    async def _read(self, positions: Mapping[PartitionId, int], limit: int) -> list[Record]:
        with translated("reading", self._names):
            self._seek(positions)
            self._consumed = {at: await self._consumer.position(at) for at in self._assigned}
            records = await self._poll(limit, POLL_MS)
            until = time.monotonic() + LINGER_MS / 1000
            while records and len(records) < limit and _size(records) < READ_BYTES_MAX:
                left_ms = int((until - time.monotonic()) * 1000)
                if left_ms <= 0:
                    break
                records += await self._poll(limit - len(records), left_ms)
        return records

    def _seek(self, positions: Mapping[PartitionId, int]) -> None:
        """Seek the partitions whose position is not directly after the last record read."""
        for at in self._assigned:
            position = positions.get(self._names.partition_of(at), 0)
            if self._fetch_offsets.get(at) != position:
                self._consumer.seek(at, position)
                self._fetch_offsets[at] = position

    async def _poll(self, limit: int, wait_ms: int) -> list[Record]:
        try:
            found = await self._consumer.getmany(timeout_ms=wait_ms, max_records=limit)
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            await self._refuse_gaps()
            raise LedgerGapError(
                f"The log ends before the ledger's position ({error}): it is older than the "
                "ledger; restore the newer log."
            ) from error
        for at, messages in found.items():
            self._fetch_offsets[at] = messages[-1].offset + 1
        return [record_of(one, self._names) for messages in found.values() for one in messages]

    async def _refuse_gaps(self) -> None:
        for at, first in (await self._first_offsets()).items():
            refuse_gap(self._names.partition_of(at), self._fetch_offsets[at], first)

    async def _first_offsets(self) -> dict[TopicPartition, int]:
        with translated("looking for the log's beginning", self._names):
            found: dict[TopicPartition, int] = await self._consumer.beginning_offsets(
                self._assigned
            )
        return found

    async def _end(self, at: TopicPartition) -> int:
        with translated("looking for the log's end", self._names):
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets([at])
        return ends[at]


def _size(records: list[Record]) -> int:
    return sum(len(record.value) for record in records)
