"""A Kafka that seems to be gone, and one that is: what a process is told decides how it ends."""

import asyncio
import time

import pytest

from infra.local.kafka import Kafka
from schemas.record import Outgoing
from schemas.topics import Topic
from streams.kafka import producer
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaTopicMissingError, KafkaUnreachableError
from streams.kafka.producer import Sender
from streams.kafka.reader import Reader
from tests.harness.broker.ledger_kafka import (
    KafkaWriter,
    delete_topics,
    own_topics,
)
from tests.harness.broker.topics import await_unfenced

REGISTRY = (Topic.REGISTRY, 0)
ANSWER_MS_MAX = 4_000  # as REQUEST_MS_MAX, but shorter: how long is no part of the rule


def test_who_was_frozen_for_longer_than_it_waits_asks_again_where_a_topic_ends(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it thaws its time is over before it sees the answer that lies there."""
    with own_topics() as broker:
        writer = KafkaWriter(broker)
        writer.send([Outgoing(Topic.REGISTRY, "", b"a record")])
        writer.close()
        assert asyncio.run(end_asked_by_the_frozen(kafka, broker, monkeypatch)) == 1


async def end_asked_by_the_frozen(
    kafka: Kafka, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> int:
    async with Reader(broker, {REGISTRY: 0}) as reader:
        await reader.ends()
        kafka.pause()
        with monkeypatch.context() as hasty:  # for the first request alone
            hasty.setattr(reader._offsets, "_request_timeout_ms", ANSWER_MS_MAX)  # noqa: SLF001 - nothing else bounds it
            asking = asyncio.create_task(reader.ends())
            await asyncio.sleep(1)  # so that the request has gone out
        assert not asking.done()
        kafka.resume()
        time.sleep(ANSWER_MS_MAX / 1000 + 1)  # noqa: ASYNC251 - nothing of this process goes on
        return (await asking)[broker.names.at(*REGISTRY)]


def test_a_broker_that_says_nothing_is_not_taken_for_one_without_the_topic(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches over processes starts those again that found nobody, and no others."""
    with own_topics() as broker:
        asyncio.run(without_the_topic(kafka, broker, monkeypatch))


async def without_the_topic(kafka: Kafka, broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    await delete_topics(broker, Topic.REGISTRY)
    async with Sender(broker, lambda: 1) as sender:
        sending = [Outgoing(Topic.REGISTRY, "", b"a record")]
        kafka.pause()
        with monkeypatch.context() as hasty:
            be_hasty(hasty, sender)
            with pytest.raises(KafkaUnreachableError):
                await sender.send(sending)
        kafka.resume()
        await await_unfenced(kafka.address)
        with pytest.raises(KafkaTopicMissingError):
            await sender.send(sending)


def be_hasty(monkeypatch: pytest.MonkeyPatch, sender: Sender) -> None:
    """Shorten every bound on an answer of a sender that is connected."""
    client = sender._producer.client  # noqa: SLF001 - its bounds are set when it is made
    monkeypatch.setattr(producer, "REQUEST_MS_MAX", ANSWER_MS_MAX)
    monkeypatch.setattr(client, "_request_timeout_ms", ANSWER_MS_MAX)
    for connection in client._conns.values():  # noqa: SLF001 - there is no public way
        monkeypatch.setattr(connection, "_request_timeout", ANSWER_MS_MAX / 1000)
