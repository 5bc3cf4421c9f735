"""Commits what belongs together in one Kafka transaction, as the only writer of a slot."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation

from schemas.partition import partition_for, partition_of
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.state import StateWrite
from streams.kafka.broker import REQUEST_MS_MAX, TRANSACTION_MS_MAX, Broker
from streams.kafka.errors import (
    KafkaBusError,
    KafkaDeniedError,
    KafkaFencedError,
    KafkaTopicMissingError,
    KafkaUnreachableError,
    KafkaWriteUnknownError,
)
from streams.kafka.names import Names
from streams.kafka.state import key_of, value_of
from streams.kafka.translation import invisible_topic, translated


class SlotProducer:
    """A slot's transactional producer; entering it fences whoever held the slot before."""

    def __init__(self, broker: Broker, transactional_id: str, partitions: int, home: int) -> None:
        """Write keyed records to ``partitions`` partitions, the slot's own record to ``home``."""
        self._producer = broker.producer(transactional_id=transactional_id)
        self._names = broker.names
        self._partitions = partitions
        self._home = home

    async def __aenter__(self) -> Self:
        await _start(self._producer, "taking over the slot", self._names)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def commit(self, events: Sequence[Outgoing], writes: Sequence[StateWrite]) -> None:
        """Make events and state visible together, or neither.

        Raises ``KafkaDeniedError`` (nothing became visible), ``KafkaFencedError`` (a newer process
        has taken over and knows) and ``KafkaWriteUnknownError``: then only a new start can tell.
        """
        try:
            with translated("committing a batch", self._names):
                async with asyncio.timeout(TRANSACTION_MS_MAX / 1000):
                    await self._commit(events, writes)
        except (KafkaFencedError, KafkaDeniedError):
            raise
        except KafkaBusError as error:
            raise KafkaWriteUnknownError(
                f"It is not known whether a batch was written. {error}"
            ) from error

    async def _commit(self, events: Sequence[Outgoing], writes: Sequence[StateWrite]) -> None:
        await self._producer.begin_transaction()
        sent: list[asyncio.Future[object]] = []
        try:
            for event in events:
                sent.append(await self._send_event(event))  # noqa: PERF401 - an error keeps them
            for write in writes:
                sent.append(await self._send_write(write))  # noqa: PERF401
        except IllegalOperation:  # the transaction ended meanwhile: what was sent before knows why
            await asyncio.gather(*sent)
            self._raise_end()  # nothing was sent before: the transaction knows
            raise
        await asyncio.gather(*sent)
        await self._producer.commit_transaction()

    def _raise_end(self) -> None:
        ended = self._producer._txn_manager.wait_for_transaction_end()  # noqa: SLF001 - no public way
        if ended.done():
            ended.result()

    async def _send_event(self, event: Outgoing) -> "asyncio.Future[object]":
        at = partition_for(event, self._partitions)
        topic = self._names.of(event.topic)
        return _heard(await self._producer.send(topic, event.value, event.key.encode(), at))

    async def _send_write(self, write: StateWrite) -> "asyncio.Future[object]":
        account = write.key.account
        at = partition_of(account, self._partitions) if account else self._home
        topic = self._names.of(Topic.STATE)
        return _heard(await self._producer.send(topic, value_of(write), key_of(write.key), at))


async def _start(producer: AIOKafkaProducer, doing: str, names: Names) -> None:
    """Start a producer; one that cannot start is closed before its ``KafkaBusError`` is raised."""
    try:
        with translated(doing, names):
            await producer.start()
    except BaseException:
        await producer.stop()
        raise


def _heard(sent: "asyncio.Future[object]") -> "asyncio.Future[object]":
    """Take note of a failure, so that asyncio need not complain that nobody did."""
    sent.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return sent


class Sender:
    """An idempotent producer: what it sent is on its topic, once, in order, or it raised."""

    def __init__(self, broker: Broker, partitions: Callable[[], int]) -> None:
        """``partitions`` tells how many a keyed topic has, once that is known."""
        self._producer = broker.producer()
        self._names = broker.names
        self._partitions = partitions

    async def __aenter__(self) -> Self:
        await _start(self._producer, "opening a producer", self._names)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, events: Sequence[Outgoing]) -> None:
        """Append events and wait for every answer; raises ``KafkaBusError``."""
        try:
            with translated("sending", self._names):
                sent = [await self._send(event) for event in events]
                await asyncio.gather(*sent)
        except KafkaTopicMissingError:
            raise await self._not_taken({one.topic for one in events}) from None

    async def _not_taken(self, topics: Iterable[Topic]) -> KafkaBusError:
        """Return why: a topic of which aiokafka learns nothing in time it takes for a missing one.

        Raises ``KafkaUnreachableError`` where no broker answers now either.
        """
        client = self._producer.client
        with translated("looking for a topic", self._names):
            async with asyncio.timeout(REQUEST_MS_MAX / 1000):
                for topic in topics:  # those behind the one that failed were not asked for
                    client.add_topic(self._names.of(topic))
                told = await client.force_metadata_update()
        partitions = client.cluster.partitions_for_topic
        lacking = [one for one in topics if not partitions(self._names.of(one))]
        if told and lacking:
            return invisible_topic(lacking[0], self._names, client.cluster.unauthorized_topics)
        return KafkaUnreachableError("Kafka did not take it in time: start again.")

    async def _send(self, event: Outgoing) -> Awaitable[object]:
        at = partition_for(event, self._partitions())
        found: Awaitable[object] = await self._producer.send(
            self._names.of(event.topic), event.value, event.key.encode(), at
        )
        return found
