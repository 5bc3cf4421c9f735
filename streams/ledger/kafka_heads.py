"""Signed ledger heads on Kafka, so that they can be collected without the ledger's machine.

``PublishedHeads.publish``: 1. append the head to the file; 2. publish it on Kafka. *If the process
ends between them, the file is ahead, and the next start's ``last`` publishes the file's head on
Kafka.*
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiokafka import AIOKafkaProducer

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.ledger.heads import LedgerHead
from schemas.topics import Topic
from streams.kafka.broker import Broker
from streams.kafka.errors import missing
from streams.kafka.loop import LoopThread
from streams.kafka.translation import translated
from streams.ledger.errors import LedgerRewrittenError
from streams.ledger.heads import HeadFile

# Others may be allowed to write to the topic, so invalid records can follow our last head.
READ_HEADS_MAX = 1_000
READ_S_MAX = 20

Open = Callable[[Envelope], LedgerHead]


class KafkaHeads:
    """Publishes heads on the topic ``ledger.heads`` and finds the newest one."""

    def __init__(self, loop: LoopThread, broker: Broker) -> None:
        """Connect; raise ``KafkaBusError`` if that fails."""
        self._loop = loop
        self._broker = broker
        self._topic = broker.names.of(Topic.HEADS)
        self._producer: AIOKafkaProducer = loop.call(broker.producer)
        self._loop.run(self._start())

    def publish(self, head: Envelope) -> None:
        """Publish a head; raise ``KafkaBusError`` if the brokers did not confirm it."""
        self._loop.run(self._send(head.encode()))

    def newest(self, open_head: Open) -> Envelope | None:
        """Return the highest of the last heads; skip records that ``open_head`` refuses."""
        return self._loop.run(self._newest(open_head))

    def close(self) -> None:
        """Disconnect from the broker."""
        self._loop.run(self._producer.stop())

    async def _start(self) -> None:
        try:
            with translated("connecting to publish heads", self._broker.names):
                await self._producer.start()
                found = await self._producer.partitions_for(self._topic)
            self._refuse_missing(found)
        except BaseException:
            await self._producer.stop()
            raise

    def _refuse_missing(self, partitions: set[int] | None) -> None:
        if not partitions:
            raise missing(self._topic, self._broker.names.topics_command("apply"))

    async def _send(self, value: bytes) -> None:
        with translated("publishing a head", self._broker.names):
            await self._producer.send_and_wait(self._topic, value, partition=0)

    async def _newest(self, open_head: Open) -> Envelope | None:
        found: list[tuple[int, Envelope]] = []
        async for value in self._last_values():
            try:
                envelope = Envelope.decode(value)
                found.append((open_head(envelope).sequence, envelope))
            except (MalformedError, LedgerRewrittenError):
                continue
        return max(found, key=lambda head: head[0])[1] if found else None

    async def _last_values(self) -> AsyncIterator[bytes]:
        at = self._broker.names.at(Topic.HEADS, 0)
        consumer = self._broker.consumer()
        try:
            with translated("reading the published heads", self._broker.names):
                await consumer.start()
                consumer.assign([at])
                end = (await consumer.end_offsets([at]))[at]
                first = (await consumer.beginning_offsets([at]))[at]
                consumer.seek(at, max(first, end - READ_HEADS_MAX))
                async with asyncio.timeout(READ_S_MAX):
                    while await consumer.position(at) < end:
                        for messages in (await consumer.getmany(timeout_ms=500)).values():
                            for message in messages:
                                yield message.value or b""
        finally:
            await consumer.stop()


class PublishedHeads:
    """Heads in the file first, then on Kafka; implements ``Heads`` for the sink.

    The file is authoritative, because others may truncate the topic. Kafka is ahead of the file
    only if the file was lost.
    """

    def __init__(self, file: HeadFile, kafka: KafkaHeads, open_head: Open) -> None:
        self._file = file
        self._kafka = kafka
        self._open = open_head

    def publish(self, head: Envelope) -> None:
        """Append a head to the file, then publish it on Kafka."""
        # 1. If the process ends after this, last() finds the file ahead and publishes its head.
        self._file.publish(head)
        # 2. Kafka never shows a head that this file does not hold.
        self._kafka.publish(head)

    def last(self) -> Envelope | None:
        """Return the newest head of both; publish the file's head first if Kafka lacks it.

        Raises ``LedgerRewrittenError`` if the file's last line is not a head of this ledger.
        """
        in_file, on_kafka = self._file.last(), self._kafka.newest(self._open)
        file_sequence = self._open(in_file).sequence if in_file else -1
        kafka_sequence = self._open(on_kafka).sequence if on_kafka else -1
        if in_file and file_sequence > kafka_sequence:
            # The last process died between steps 1 and 2, or the topic was truncated.
            self._kafka.publish(in_file)
        return in_file if file_sequence >= kafka_sequence else on_kafka
