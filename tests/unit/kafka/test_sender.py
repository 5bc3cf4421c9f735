"""The idempotent sender: missing topics, late metadata and acknowledgements."""

import asyncio
from collections.abc import Collection
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.errors import UnknownTopicOrPartitionError

from schemas.record import Outgoing
from schemas.topics import Topic
from streams.kafka.broker import Broker
from streams.kafka.errors import (
    KafkaBusError,
    KafkaDeniedError,
    KafkaTopicMissingError,
    KafkaUnreachableError,
)
from streams.kafka.names import Names
from streams.kafka.producer import Sender

BOTH = (Topic.AUDIT, Topic.UNATTRIBUTED)


class Library:
    """aiokafka's producer and its client, with metadata of requested topics only."""

    def __init__(self, present: Collection[str], denied: Collection[str], *, answers: bool) -> None:
        self.client = self
        self.cluster = SimpleNamespace(
            partitions_for_topic=lambda name: {0} if name in self._known else None,
            unauthorized_topics=set(denied),
        )
        self._there, self._answers = set(present), answers
        self._asked: set[str] = set()
        self._known: set[str] = set()

    async def send(self, topic: str, *_: object) -> None:
        self._asked.add(topic)
        raise UnknownTopicOrPartitionError

    async def stop(self) -> None: ...

    def add_topic(self, name: str) -> None:
        self._asked.add(name)

    async def force_metadata_update(self) -> bool:
        self._known = self._asked & self._there if self._answers else set()
        return self._answers


@pytest.mark.parametrize(
    ("present", "denied", "answers", "error"),
    [
        (BOTH, (), True, KafkaUnreachableError),
        (BOTH, (), False, KafkaUnreachableError),
        (BOTH[:1], (), True, KafkaTopicMissingError),
        (BOTH[1:], BOTH[:1], True, KafkaDeniedError),
    ],
    ids=["answers again", "silent", "missing", "denied"],
)
def test_a_topic_is_missing_only_if_a_broker_reports_it(
    present: Collection[str], denied: Collection[str], *, answers: bool, error: type[KafkaBusError]
) -> None:
    library: Any = Library(present, denied, answers=answers)
    broker = SimpleNamespace(producer=lambda: library, names=Names())
    sender = Sender(cast(Broker, broker), lambda: 1)
    with pytest.raises(error):
        asyncio.run(sender.send([Outgoing(topic, "k", b"") for topic in BOTH]))


class Unanswered:
    """aiokafka's producer, with a broker that never acknowledges."""

    async def send(self, *_: object) -> "asyncio.Future[object]":
        return asyncio.get_running_loop().create_future()


def test_a_record_counts_as_sent_only_when_the_broker_acknowledged_it() -> None:
    broker = SimpleNamespace(producer=lambda **_: Unanswered(), names=Names())
    sender = Sender(cast(Broker, broker), lambda: 1)

    async def sent() -> None:
        async with asyncio.timeout(0.05):  # never acknowledged, so any bound will do
            await sender.send([Outgoing(Topic.AUDIT, "", b"{}")])

    with pytest.raises(TimeoutError):
        asyncio.run(sent())
