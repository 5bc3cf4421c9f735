"""Kafka reader: reads partitions from positions that the caller stores itself.

No consumer group is involved: a slot's positions are part of its state and are committed with it,
so a position is never ahead of the work that follows from its records.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from schemas.record import PartitionId, Record
from schemas.topics import Topic
from streams.kafka.broker import FETCH_WAIT_MS, Broker
from streams.kafka.errors import KafkaGapError, KafkaUnreachableError
from streams.kafka.names import Names
from streams.kafka.records import record_of
from streams.kafka.translation import invisible_topic, translated

POLL_MS = 1_000
METADATA_S_MAX, METADATA_POLL_S = 5.0, 0.1
READ_COUNT_MAX = 5_000
STALLED_MS_MAX = 20_000
QUIET_WAIT_MS = 500  # for topics with few records


class PartitionLag(NamedTuple):
    """The position of a reader in a partition, and where the partition ends."""

    label: str
    position: int
    end: int


class Reader:
    """A consumer of manually assigned partitions; use it in an ``async with``."""

    def __init__(
        self,
        broker: Broker,
        positions: Mapping[PartitionId, int],
        fetch_wait_ms: int = FETCH_WAIT_MS,
    ) -> None:
        """``positions`` maps each partition to the first offset to read.

        A broker without new records answers a fetch after ``fetch_wait_ms``.
        """
        self._positions = dict(positions)
        self._names = broker.names
        self._assigned = {self._names.at(*where): where for where in positions}
        self._done: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer = broker.consumer(fetch_max_wait_ms=fetch_wait_ms)
        # A broker answers the requests of one connection in order. On the fetching connection an
        # offset request would wait behind a fetch, so it has its own connection.
        self._offsets: AIOKafkaConsumer = broker.consumer()

    async def __aenter__(self) -> Self:
        try:
            with translated("opening a reader", self._names):
                await asyncio.gather(self._consumer.start(), self._offsets.start())
            await self._assign()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(self._consumer.stop(), self._offsets.stop())

    async def read(self, count_max: int, wait_ms: int = POLL_MS) -> list[Record]:
        """Return the next records, or an empty list if nothing arrives within ``wait_ms``.

        The caller must be done with the records of the call before: they count as done in ``lag``.
        Raises ``KafkaGapError`` if the log no longer contains the next record.
        """
        await self.mark_done()
        with translated("reading", self._names):
            try:
                found = await self._consumer.getmany(timeout_ms=wait_ms, max_records=count_max)
            except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
                raise _gap(error) from error
        return [record_of(one, self._names) for messages in found.values() for one in messages]

    async def read_to_end(self, wait_ms: int = POLL_MS) -> AsyncIterator[list[Record]]:
        """Yield all records up to the current end of the partitions.

        A transaction marker has an offset but is not a record, so a partition can end with offsets
        that yield no record; they are waited for, ``wait_ms`` at a time. Raises
        ``KafkaUnreachableError`` if nothing arrives for ``STALLED_MS_MAX``.
        """
        ends = await self.ends()
        waited_ms = 0
        while await self._behind(ends):
            records = await self.read(READ_COUNT_MAX, wait_ms)
            waited_ms = 0 if records else waited_ms + wait_ms
            if waited_ms > STALLED_MS_MAX:
                raise KafkaUnreachableError(
                    f"Kafka returned no records for {STALLED_MS_MAX // 1000} s although there are "
                    "some: look at the brokers' logs."
                )
            yield records

    async def mark_done(self) -> None:
        """Count all records read so far as done; ``read`` does so too, but may be called late."""
        with translated("reading", self._names):
            self._done = {at: await self._consumer.position(at) for at in self._assigned}

    def lag(self) -> Iterator[PartitionLag]:
        """Yield position and end of every partition, as of the last ``mark_done``.

        Positions count transaction markers too, so an idle partition has no lag.
        """
        for at, position in self._done.items():
            end = self._consumer.last_stable_offset(at)
            if end is not None:
                yield PartitionLag(self._names.label(at), position, end)

    async def ends(self) -> dict[TopicPartition, int]:
        """Return the end of every partition: the offset after its last committed record.

        Retries once after a timeout. A process that was suspended times out before it reads an
        answer that has arrived; it must discover that it is fenced, not report that Kafka is gone.
        """
        with translated("looking for the end", self._names):
            try:
                return await self._ends()
            except KafkaTimeoutError:
                return await self._ends()

    async def _ends(self) -> dict[TopicPartition, int]:
        ends: dict[TopicPartition, int] = await self._offsets.end_offsets(self._assigned)
        return ends

    async def _behind(self, ends: Mapping[TopicPartition, int]) -> bool:
        with translated("reading", self._names):
            return any([await self._consumer.position(at) < end for at, end in ends.items()])

    async def _assign(self) -> None:
        """Assign the partitions; raise for missing topics and for positions before the log."""
        known = await self._partitions()
        for where in self._positions:
            if where[1] not in known.get(where[0], set()):
                cluster = self._consumer._client.cluster  # noqa: SLF001 - there is no public way
                raise invisible_topic(where[0], self._names, cluster.unauthorized_topics)
        self._consumer.assign(list(self._assigned))
        with translated("looking for the beginning", self._names):
            firsts = await self._offsets.beginning_offsets(self._assigned)
        for at, where in self._assigned.items():
            refuse_gap(at, self._positions[where], firsts[at])
            self._consumer.seek(at, self._positions[where])

    async def _partitions(self) -> dict[Topic, set[int]]:
        topics = {topic for topic, _ in self._positions}
        with translated("asking for topics", self._names):
            async with asyncio.timeout(POLL_MS / 1000 * 10):
                await load_metadata(self._consumer, topics, self._names)
        found = self._consumer.partitions_for_topic
        return {topic: found(self._names.of(topic)) or set() for topic in topics}


async def load_metadata(consumer: AIOKafkaConsumer, topics: Iterable[Topic], names: Names) -> None:
    """Load the metadata of topics; raise ``KafkaUnreachableError`` if no broker has it in time.

    A restarted broker, or one that was frozen, names neither topics nor brokers until its
    controller knows it again, so this retries for ``METADATA_S_MAX``.
    """
    client = consumer._client  # noqa: SLF001 - there is no public way to wait
    ends_at_s = asyncio.get_running_loop().time() + METADATA_S_MAX
    has_metadata = await client.set_topics([names.of(topic) for topic in topics])
    while not has_metadata:
        if asyncio.get_running_loop().time() > ends_at_s:
            raise KafkaUnreachableError("Kafka has no metadata of its brokers yet: start again.")
        await asyncio.sleep(METADATA_POLL_S)
        has_metadata = await client.force_metadata_update()


def refuse_gap(at: TopicPartition, position: int, first: int) -> None:
    """Raise ``KafkaGapError``, with the topic's full name, if a log begins too late."""
    if first > position:
        raise KafkaGapError(
            f"{at.topic}/{at.partition} begins at offset {first} but was read only up to "
            f"{position}: records are lost. Restore the topic from a good copy before you start "
            "anything."
        )


def _gap(error: BaseException) -> KafkaGapError:
    return KafkaGapError(f"a topic no longer contains the next record to read ({error})")


async def positions_since(
    broker: Broker, partitions: Iterable[PartitionId], at_ms: int
) -> dict[PartitionId, int]:
    """Return the offset of each partition's first record appended at or after a time."""
    wanted = {broker.names.at(*where): at_ms for where in partitions}
    consumer = broker.consumer()
    with translated("looking for offsets by time", broker.names):
        await consumer.start()
        try:
            found = await consumer.offsets_for_times(wanted)
            ends = await consumer.end_offsets(list(wanted))
        finally:
            await consumer.stop()
    return {
        broker.names.partition_of(at): found[at].offset if found[at] else ends[at] for at in wanted
    }


class EndOffsets:
    """Looks for the ends of partitions, with a connection of its own; use it in ``async with``."""

    def __init__(self, broker: Broker) -> None:
        self._names = broker.names
        self._consumer: AIOKafkaConsumer = broker.consumer()

    async def __aenter__(self) -> Self:
        try:
            with translated("looking for the end", self._names):
                await self._consumer.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def of(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, int]:
        """Return the end of every partition: the offset after its last committed record."""
        wanted = {self._names.at(*where): where for where in partitions}
        with translated("looking for the end", self._names):
            ends = await self._consumer.end_offsets(list(wanted))
        return {wanted[at]: end for at, end in ends.items()}


async def group_lag(broker: Broker, group: str, partitions: Iterable[PartitionId]) -> int:
    """Return the lag of a consumer group: the offsets that it has not committed yet."""
    consumer = broker.consumer(group_id=group)
    with translated(f"asking how far {broker.names.of(group)} has read", broker.names):
        await consumer.start()
        try:
            wanted = [broker.names.at(*where) for where in partitions]
            consumer.assign(wanted)  # manually, so that the group does not gain a member
            ends = await consumer.end_offsets(wanted)
            firsts = await consumer.beginning_offsets(wanted)
            read = {at: await consumer.committed(at) for at in wanted}
        finally:
            await consumer.stop()
    return sum(max(0, ends[at] - (read[at] or firsts[at])) for at in wanted)


async def replay(
    broker: Broker,
    partitions: Iterable[PartitionId],
    until: Mapping[PartitionId, int] | None = None,
) -> AsyncIterator[Record]:
    """Yield the records of partitions from the first one to their end, or up to ``until``."""
    stops = until or {}
    async with Reader(broker, dict.fromkeys(partitions, 0)) as reader:
        async for records in reader.read_to_end():
            for record in records:
                at = (record.topic, record.partition)
                if record.offset < stops.get(at, record.offset + 1):
                    yield record
