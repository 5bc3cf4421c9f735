"""Requests to a Kafka that seems unreachable, or is: how a process ends."""

import asyncio
import time

import pytest

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
from tools.local.kafka import Kafka

REGISTRY = (Topic.REGISTRY, 0)
ANSWER_MS_MAX = 4_000  # like REQUEST_MS_MAX, but shorter


def test_a_process_frozen_beyond_its_timeout_retries_the_request_for_a_topics_end(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the freeze the timeout has expired before it reads the waiting response."""
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
        with monkeypatch.context() as hasty:  # for the first request only
            hasty.setattr(reader._offsets, "_request_timeout_ms", ANSWER_MS_MAX)  # noqa: SLF001 - nothing else bounds it
            asking = asyncio.create_task(reader.ends())
            await asyncio.sleep(1)  # so that the request has been sent
        assert not asking.done()
        kafka.resume()
        time.sleep(ANSWER_MS_MAX / 1000 + 1)  # noqa: ASYNC251 - blocks the whole process on purpose
        return (await asking)[broker.names.at(*REGISTRY)]


def test_a_silent_broker_is_not_reported_as_a_missing_topic(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor restarts processes that found no server, and no others."""
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
    """Shorten every timeout of a connected sender."""
    client = sender._producer.client  # noqa: SLF001 - its bounds are set when it is made
    monkeypatch.setattr(producer, "REQUEST_MS_MAX", ANSWER_MS_MAX)
    monkeypatch.setattr(client, "_request_timeout_ms", ANSWER_MS_MAX)
    for connection in client._conns.values():  # noqa: SLF001 - there is no public way
        monkeypatch.setattr(connection, "_request_timeout", ANSWER_MS_MAX / 1000)
