"""A Kafka that seems to be gone, and one that is: what a process is told decides how it ends."""

import asyncio
import time

import pytest

from infra.local.kafka import Kafka
from schemas.record import Outgoing
from schemas.topics import Topic
from streams.kafka import broker as broker_module
from streams.kafka import producer
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaTopicMissing, KafkaUnreachable
from streams.kafka.producer import Sender
from streams.kafka.reader import Reader
from tests.harness.broker.ledger_kafka import (
    KafkaWriter,
    delete_topics,
    own_topics,
)

REGISTRY = (Topic.REGISTRY, 0)
ANSWER_MS_MAX = 4_000  # as REQUEST_MS_MAX, but shorter: how long is no part of the rule


@pytest.fixture(autouse=True)
def _less_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (broker_module, producer):
        monkeypatch.setattr(module, "REQUEST_MS_MAX", ANSWER_MS_MAX)


def test_who_was_frozen_for_longer_than_it_waits_asks_again_where_a_topic_ends(
    kafka: Kafka,
) -> None:
    """When it thaws its time is over before it sees the answer that lies there."""
    with own_topics() as broker:
        writer = KafkaWriter(broker)
        writer.send([Outgoing(Topic.REGISTRY, "", b"a record")])
        writer.close()
        assert asyncio.run(end_asked_by_the_frozen(kafka, broker)) == 1


async def end_asked_by_the_frozen(kafka: Kafka, broker: Broker) -> int:
    async with Reader(broker, {REGISTRY: 0}) as reader:
        await reader.ends()
        kafka.pause()
        asking = asyncio.create_task(reader.ends())
        await asyncio.sleep(1)  # so that the request has gone out
        assert not asking.done()
        kafka.resume()
        time.sleep(ANSWER_MS_MAX / 1000 + 1)  # noqa: ASYNC251 - nothing of this process goes on
        return (await asking)[broker.names.at(*REGISTRY)]


def test_a_broker_that_says_nothing_is_not_taken_for_one_without_the_topic(kafka: Kafka) -> None:
    """Whoever watches over processes starts those again that found nobody, and no others."""
    with own_topics() as broker:
        asyncio.run(without_the_topic(kafka, broker))


async def without_the_topic(kafka: Kafka, broker: Broker) -> None:
    await delete_topics(broker, Topic.REGISTRY)
    async with Sender(broker, lambda: 1) as sender:
        sending = [Outgoing(Topic.REGISTRY, "", b"a record")]
        kafka.pause()
        with pytest.raises(KafkaUnreachable):
            await sender.send(sending)
        kafka.resume()
        with pytest.raises(KafkaTopicMissing):
            await sender.send(sending)
