"""Reads single pages of partitions at any offset, for projections that store their own positions.

Only the partition that is being read is fetched, so memory holds one fetch, whatever the number of
partitions and the length of the log.
"""

import asyncio
from collections.abc import Iterable
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import OffsetOutOfRangeError

from schemas.record import PartitionId, Record
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaUnreachableError
from streams.kafka.reader import STALLED_MS_MAX, load_metadata
from streams.kafka.records import record_of
from streams.kafka.translation import translated

FETCH_BYTES_MAX = 1024 * 1024  # a broker sends a larger record alone
# A fetch that holds nothing but transaction markers wakes no reader: so the position is compared
# again after this time.
MARKER_MS = 20


class PageReader:
    """A consumer that fetches no partition before it is read; use it in an ``async with``.

    Calls must not overlap, except those of ``ends``.
    """

    def __init__(self, broker: Broker, partitions: Iterable[PartitionId]) -> None:
        self._names = broker.names
        self._assigned = {self._names.at(*where): where for where in partitions}
        self._consumer: AIOKafkaConsumer = broker.consumer(
            fetch_max_wait_ms=MARKER_MS,
            fetch_max_bytes=FETCH_BYTES_MAX,
            max_partition_fetch_bytes=FETCH_BYTES_MAX,
        )
        # On the fetching connection an offset request would wait behind a fetch.
        self._offsets: AIOKafkaConsumer = broker.consumer()
        # The partition of the last read, and the offset after its last returned record.
        self._last: tuple[TopicPartition, int] | None = None

    async def __aenter__(self) -> Self:
        try:
            with translated("opening a reader", self._names):
                await asyncio.gather(self._consumer.start(), self._offsets.start())
                topics = {topic for topic, _ in self._assigned.values()}
                await load_metadata(self._consumer, topics, self._names)
                self._consumer.assign(list(self._assigned))
                self._consumer.pause(*self._assigned)
                for at in self._assigned:  # without a position aiokafka would look for one
                    self._consumer.seek(at, 0)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(self._consumer.stop(), self._offsets.stop())

    async def ends(self, partitions: Iterable[PartitionId]) -> dict[PartitionId, int]:
        """Return the end of each partition: the offset after its last committed record."""
        wanted = [self._names.at(*where) for where in partitions]
        with translated("looking for the end", self._names):
            found = await self._offsets.end_offsets(wanted)
        return {self._assigned[at]: end for at, end in found.items()}

    async def read(self, where: PartitionId, offset: int, end: int, count_max: int) -> list[Record]:
        """Return up to ``count_max`` records from ``offset`` on and before ``end``.

        The first ones may be gone: then the page begins with the first record that the log still
        has. The page is empty only if there is no record left before ``end``.
        """
        at = self._names.at(*where)
        self._turn_to(at, offset)
        self._consumer.resume(at)
        try:
            with translated("reading", self._names):
                found = await self._page(at, end, count_max)
        finally:
            self._consumer.pause(at)
        if found:
            self._last = (at, found[-1].offset + 1)
        return [record for record in found if record.offset < end]

    def _turn_to(self, at: TopicPartition, offset: int) -> None:
        """Go on behind the last page; otherwise seek, which drops what was fetched ahead.

        What was fetched of another partition would delay the fetches of this one.
        """
        if self._last == (at, offset):
            return
        if self._last and self._last[0] != at:
            self._consumer.seek(*self._last)
        self._consumer.seek(at, offset)
        self._last = (at, offset)

    async def _page(self, at: TopicPartition, end: int, count_max: int) -> list[Record]:
        waited_ms = 0
        # The position is behind transaction markers, which are no records.
        while await self._consumer.position(at) < end:
            try:
                found = await self._consumer.getmany(
                    at, timeout_ms=MARKER_MS, max_records=count_max
                )
            except OffsetOutOfRangeError:
                if not await self._skip_to_first(at):
                    break
                continue
            if messages := found.get(at):
                return [record_of(one, self._names) for one in messages]
            waited_ms += MARKER_MS
            if waited_ms > STALLED_MS_MAX:
                raise KafkaUnreachableError(
                    f"Kafka returned no records for {STALLED_MS_MAX // 1000} s although there are "
                    "some: look at the brokers' logs."
                )
        return []

    async def _skip_to_first(self, at: TopicPartition) -> bool:
        """Seek to the first record if the log begins later; return whether it does."""
        first = (await self._offsets.beginning_offsets([at]))[at]
        is_trimmed = bool(first > await self._consumer.position(at))
        if is_trimmed:
            self._consumer.seek(at, first)
        return is_trimmed
