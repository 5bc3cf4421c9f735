"""Signed heads on Kafka, where whoever remembers them need not ask the ledger's machine."""

import asyncio
from collections.abc import AsyncIterator, Callable

from aiokafka import AIOKafkaProducer

from schemas.canonical import MalformedError
from schemas.dsse import Envelope
from schemas.heads import LedgerHead
from schemas.topics import Topic
from streams.kafka.broker import Broker
from streams.kafka.errors import missing
from streams.kafka.loop import LoopThread
from streams.kafka.translation import translated
from streams.ledger.errors import LedgerRewrittenError
from streams.ledger.heads import HeadFile

# Whoever may write to every topic can put anything behind our last head, so we look further back.
LOOKED_AT_MAX = 1_000
READ_S_MAX = 20

Open = Callable[[Envelope], LedgerHead]


class KafkaHeads:
    """The topic of heads: what was published last, and publishing."""

    def __init__(self, loop: LoopThread, broker: Broker) -> None:
        """Connect; raise ``KafkaBusError`` if that fails."""
        self._loop = loop
        self._broker = broker
        self._topic = broker.names.of(Topic.HEADS)
        self._producer: AIOKafkaProducer = loop.call(broker.producer)
        self._loop.run(self._start())

    def publish(self, head: Envelope) -> None:
        """Publish a head; raise ``KafkaBusError`` if it is not certain that it is there."""
        self._loop.run(self._send(head.encode()))

    def newest(self, recognised: Open) -> Envelope | None:
        """Return the highest of the last heads, leaving out what is not ``recognised``."""
        return self._loop.run(self._newest(recognised))

    def close(self) -> None:
        """Leave the broker."""
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

    async def _newest(self, recognised: Open) -> Envelope | None:
        found: list[tuple[int, Envelope]] = []
        async for value in self._last_values():
            try:
                envelope = Envelope.decode(value)
                found.append((recognised(envelope).sequence, envelope))
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
                consumer.seek(at, max(first, end - LOOKED_AT_MAX))
                async with asyncio.timeout(READ_S_MAX):
                    while await consumer.position(at) < end:
                        for messages in (await consumer.getmany(timeout_ms=500)).values():
                            for message in messages:
                                yield message.value or b""
        finally:
            await consumer.stop()


class PublishedHeads:
    """Heads in the kept file first, then on Kafka; a ``Heads`` of the sink.

    The file is the ledger's own memory: Kafka, which others may cut, is never ahead of it, unless
    the file was lost.
    """

    def __init__(self, kept: HeadFile, kafka: KafkaHeads, open_head: Open) -> None:
        self._kept = kept
        self._kafka = kafka
        self._open = open_head

    def publish(self, head: Envelope) -> None:
        """Keep a head, then publish it."""
        self._kept.publish(head)
        self._kafka.publish(head)

    def last(self) -> Envelope | None:
        """Return the newest head of both; Kafka first gets what only the file has.

        Raises ``LedgerRewrittenError`` if the file's last line is no head of ours.
        """
        kept, published = self._kept.last(), self._kafka.newest(self._open)
        kept_to = self._open(kept).sequence if kept else -1
        published_to = self._open(published).sequence if published else -1
        if kept and kept_to > published_to:
            self._kafka.publish(kept)
        return kept if kept_to >= published_to else published
