"""Kafka topics for tests of the ledger, and a writer of arbitrary records."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from schemas.partition import partition_of
from schemas.record import Outgoing
from schemas.topics import TOPICS, Topic
from streams.kafka.broker import Broker
from streams.kafka.loop import LoopThread
from tests.harness.broker.shared import own_names, shared_kafka
from tests.harness.broker.topics import create_topics, remove_topics

PARTITIONS = 3
SHOWN_S_MAX = 60


@contextmanager
def own_broker() -> Iterator[Broker]:
    """Yield the worker's broker with a unique prefix and no topics."""
    kafka = shared_kafka()
    with own_names(kafka) as names:
        yield Broker(kafka.address, "tests", names=names)


@contextmanager
def own_topics() -> Iterator[Broker]:
    """Yield the worker's broker with all topics under a unique prefix."""
    with own_broker() as broker:
        with closing(LoopThread("topics")) as loop:
            loop.run(_make_topics(broker))
        yield broker


async def _make_topics(broker: Broker) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
    await admin.start()
    try:
        wanted = [
            NewTopic(
                broker.names.of(topic), PARTITIONS if spec.keyed else 1, 1, topic_configs=_CONFIG
            )
            for topic, spec in TOPICS.items()
        ]
        await create_topics(admin, wanted)
        await await_topics(admin, set(map(broker.names.of, TOPICS)).issubset)
    finally:
        await admin.close()


async def await_topics(admin: AIOKafkaAdminClient, wanted: Callable[[set[str]], bool]) -> None:
    """Wait until the broker, which lags behind its controller, lists the wanted topics."""
    until = time.monotonic() + SHOWN_S_MAX
    while not wanted(there := set(await admin.list_topics())):
        assert time.monotonic() < until, there
        await asyncio.sleep(0.05)


async def delete_topics(broker: Broker, *topics: Topic) -> None:
    """Delete topics and wait until the broker lists none of them."""
    names = [broker.names.of(topic) for topic in topics]
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.servers)
    await admin.start()
    try:
        await remove_topics(admin, names)
        await await_topics(admin, lambda there: there.isdisjoint(names))
    finally:
        await admin.close()


_CONFIG = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(3 * 1024 * 1024)}


class KafkaWriter:
    """Writes to a broker from tests that have no event loop."""

    def __init__(self, broker: Broker) -> None:
        self._loop = LoopThread("writer")
        self._broker = broker
        self._of = broker.names.of
        self._producer = self._loop.call(self._broker.producer)
        self._loop.run(self._producer.start())

    def send(self, events: Sequence[Outgoing]) -> None:
        """Append events, each to the partition of its key."""
        self._loop.run(self._send(events))

    def send_raw(self, topic: Topic, partition: int, key: bytes | None, value: bytes | None) -> int:
        """Append any bytes or None to any partition; return the offset."""
        sending = self._producer.send_and_wait(self._of(topic), value, key, partition)
        return int(self._loop.run(sending).offset)

    def transact(self, events: Sequence[Outgoing], *, commit: bool) -> None:
        """Append events in one transaction and commit or abort it."""
        self._loop.run(self._transact(events, commit=commit))

    def hold(self, topic: Topic, partition: int, value: bytes) -> None:
        """Append a record in a transaction that stays open until ``release``."""
        name = f"held-{time.monotonic_ns()}"
        self._held = self._loop.call(lambda: self._broker.producer(transactional_id=name))
        self._loop.run(self._hold(topic, partition, value))

    def release(self) -> None:
        """Commit the transaction of ``hold``."""
        self._loop.run(self._release())

    def forget(self, topic: Topic, partition: int, before: int) -> None:
        """Delete the records before an offset, as retention does."""
        self._loop.run(self._forget(topic, partition, before))

    def close(self) -> None:
        self._loop.run(self._producer.stop())
        self._loop.close()

    async def _send(self, events: Sequence[Outgoing]) -> None:
        sent = [
            await self._producer.send(self._of(event.topic), event.value, event.key.encode(), where)
            for event in events
            for where in [_partition(event)]
        ]
        for one in sent:
            await one

    async def _transact(self, events: Sequence[Outgoing], *, commit: bool) -> None:
        producer = self._broker.producer(transactional_id=f"tests-{time.monotonic_ns()}")
        await producer.start()
        try:
            await producer.begin_transaction()
            for event in events:
                await producer.send_and_wait(
                    self._of(event.topic), event.value, event.key.encode(), _partition(event)
                )
            await (producer.commit_transaction() if commit else producer.abort_transaction())
        finally:
            await producer.stop()

    async def _hold(self, topic: Topic, partition: int, value: bytes) -> None:
        await self._held.start()
        await self._held.begin_transaction()
        await self._held.send_and_wait(self._of(topic), value, b"", partition)

    async def _release(self) -> None:
        await self._held.commit_transaction()
        await self._held.stop()

    async def _forget(self, topic: Topic, partition: int, before: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._broker.servers)
        await admin.start()
        try:
            at = self._broker.names.at(topic, partition)
            await admin.delete_records({at: RecordsToDelete(before)})
        finally:
            await admin.close()


def _partition(event: Outgoing) -> int:
    return partition_of(event.key, PARTITIONS) if TOPICS[event.topic].keyed else 0
