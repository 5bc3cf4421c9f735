"""Kafka producers: a fencing, transactional one for a signer slot, an idempotent one for others.

A slot, with Kafka's transactions:

1. Fence: starting the producer of a slot's ``transactional.id`` raises its epoch. The broker aborts
   the former producer's open transaction, or completes one that was being committed, and refuses
   everything that it sends later (``KafkaFencedError``).
   *If the process ends here, nothing was written; the next start fences again.*
2. Send the events and state writes of a batch within one transaction.
   *If the process ends here, the transaction times out after ``TRANSACTION_MS_MAX``, or the next
   start aborts it. ``read_committed`` readers never see it.*
3. Commit. *If the process ends before the coordinator has it, the transaction ends as in 2. If it
   ends after that, everything is visible, even if the answer is lost. Only the next start can tell,
   from the state that it reads.*
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Self

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation

from schemas.partition import partition_for, partition_of
from schemas.record import Outgoing
from schemas.topics import Topic
from signer.stage.state import StateWrite
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
    """The transactional producer of a slot; entering it fences the slot's former producer."""

    def __init__(self, broker: Broker, transactional_id: str, partitions: int, home: int) -> None:
        """Partition keyed records among ``partitions``; the slot's own record goes to ``home``."""
        self._producer = broker.producer(transactional_id=transactional_id)
        self._names = broker.names
        self._partitions = partitions
        self._home = home

    async def __aenter__(self) -> Self:
        # 1. Fence. From here on this is the only process that can write for the slot.
        await _start(self._producer, "taking over the slot", self._names)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def commit(self, events: Sequence[Outgoing], writes: Sequence[StateWrite]) -> None:
        """Make events and state visible together, or neither of them.

        Raises ``KafkaDeniedError`` (nothing became visible), ``KafkaFencedError`` (a newer process
        took over and has read the truth) and ``KafkaWriteUnknownError``: the commit may or may not
        have happened. The caller must end the process after each of them.
        """
        try:
            with translated("committing a batch", self._names):
                # The broker aborts a transaction after the same time, so waiting longer is useless.
                async with asyncio.timeout(TRANSACTION_MS_MAX / 1000):
                    await self._commit(events, writes)
        except (KafkaFencedError, KafkaDeniedError):
            raise
        except KafkaBusError as error:
            raise KafkaWriteUnknownError(
                f"It is unknown whether a batch was written. {error}"
            ) from error

    async def _commit(self, events: Sequence[Outgoing], writes: Sequence[StateWrite]) -> None:
        # 2. If the process ends after this point, the transaction is aborted, and no reader sees
        # any of it.
        await self._producer.begin_transaction()
        sent: list[asyncio.Future[object]] = []
        try:
            for event in events:
                # No comprehension: after an error ``sent`` must hold the futures that exist.
                sent.append(await self._send_event(event))  # noqa: PERF401
            for write in writes:
                sent.append(await self._send_write(write))  # noqa: PERF401
        except IllegalOperation:
            # The transaction failed in the background, so aiokafka refuses to send. The cause is in
            # the future of an earlier record; without earlier records, in the transaction itself.
            await asyncio.gather(*sent)
            self._raise_failure()
            raise
        # Every record must be acknowledged by all in-sync replicas before the commit.
        await asyncio.gather(*sent)
        # 3. The point of no return: once the coordinator has it, the batch is visible.
        await self._producer.commit_transaction()

    def _raise_failure(self) -> None:
        """Raise what ended the transaction, if it ended."""
        ended = self._producer._txn_manager.wait_for_transaction_end()  # noqa: SLF001 - no public way
        if ended.done():
            ended.result()

    async def _send_event(self, event: Outgoing) -> "asyncio.Future[object]":
        at = partition_for(event, self._partitions)
        topic = self._names.of(event.topic)
        return _retrieved(await self._producer.send(topic, event.value, event.key.encode(), at))

    async def _send_write(self, write: StateWrite) -> "asyncio.Future[object]":
        account = write.key.account
        # The slot's own records have no account; they go to the slot's first partition, which only
        # this slot reads and writes.
        at = partition_of(account, self._partitions) if account else self._home
        topic = self._names.of(Topic.STATE)
        return _retrieved(await self._producer.send(topic, value_of(write), key_of(write.key), at))


async def _start(producer: AIOKafkaProducer, doing: str, names: Names) -> None:
    """Start a producer; close it again if that raises or is cancelled."""
    try:
        with translated(doing, names):
            await producer.start()
    except BaseException:
        await producer.stop()
        raise


def _retrieved(sent: "asyncio.Future[object]") -> "asyncio.Future[object]":
    """Mark the future's exception as retrieved: asyncio warns about others."""
    sent.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return sent


class Sender:
    """An idempotent producer: records are on their topics once and in order, or ``send`` raises."""

    def __init__(self, broker: Broker, partitions: Callable[[], int]) -> None:
        """``partitions`` returns the partition count of keyed topics, once it is known."""
        self._producer = broker.producer()
        self._names = broker.names
        self._partitions = partitions

    async def __aenter__(self) -> Self:
        await _start(self._producer, "opening a producer", self._names)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def send(self, events: Sequence[Outgoing]) -> None:
        """Append events and wait until all are acknowledged; raises ``KafkaBusError``.

        After an error any of the events may be on its topic. Readers recognise a repeated event by
        its id, so the caller can send all of them again.
        """
        try:
            with translated("sending", self._names):
                sent = [await self._send(event) for event in events]
                await asyncio.gather(*sent)
        except KafkaTopicMissingError:
            raise await self._explain_missing({one.topic for one in events}) from None

    async def _explain_missing(self, topics: Iterable[Topic]) -> KafkaBusError:
        """Return the cause: aiokafka reports a topic as missing if its metadata came too late.

        Raises ``KafkaUnreachableError`` if no broker answers now either.
        """
        client = self._producer.client
        with translated("looking for a topic", self._names):
            async with asyncio.timeout(REQUEST_MS_MAX / 1000):
                for topic in topics:  # aiokafka has not asked for topics after the failed one
                    client.add_topic(self._names.of(topic))
                answered = await client.force_metadata_update()
        partitions = client.cluster.partitions_for_topic
        absent = [one for one in topics if not partitions(self._names.of(one))]
        if answered and absent:
            return invisible_topic(absent[0], self._names, client.cluster.unauthorized_topics)
        return KafkaUnreachableError("Kafka did not accept the records in time: start again.")

    async def _send(self, event: Outgoing) -> Awaitable[object]:
        at = partition_for(event, self._partitions())
        found: Awaitable[object] = await self._producer.send(
            self._names.of(event.topic), event.value, event.key.encode(), at
        )
        return found
