"""A reader's first metadata: a broker that was just restarted or frozen names no broker yet."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.topics import Topic
from streams.kafka import reader
from streams.kafka.errors import KafkaUnreachableError
from streams.kafka.names import Names


class RestartedBroker:
    """aiokafka's client: its first ``empty_count`` answers name no broker."""

    def __init__(self, empty_count: int) -> None:
        self._empty_count = empty_count
        self.requests: list[list[str]] = []

    async def set_topics(self, topics: list[str]) -> bool:
        self.requests.append(topics)
        return await self.force_metadata_update()

    async def force_metadata_update(self) -> bool:
        self._empty_count -= 1
        return self._empty_count < 0


def load(client: RestartedBroker) -> None:
    consumer = cast(AIOKafkaConsumer, cast(Any, SimpleNamespace(_client=client)))
    asyncio.run(reader.load_metadata(consumer, [Topic.REGISTRY], Names("acme.")))


@pytest.mark.parametrize("empty_count", [0, 1, 3])
def test_metadata_is_requested_until_a_broker_is_known(
    monkeypatch: pytest.MonkeyPatch, empty_count: int
) -> None:
    monkeypatch.setattr(reader, "METADATA_POLL_S", 0)
    client = RestartedBroker(empty_count)
    load(client)
    assert client.requests == [["acme.registry"]]


def test_a_broker_that_stays_unknown_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "METADATA_S_MAX", 0)
    monkeypatch.setattr(reader, "METADATA_POLL_S", 0)
    with pytest.raises(KafkaUnreachableError):
        load(RestartedBroker(1_000_000))
