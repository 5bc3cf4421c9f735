"""The watch over the brokers: when it counts them as lost, and how clients wait."""

import asyncio
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaConnectionError

from streams.kafka import broker_watch
from streams.kafka.broker import READER_RETRY_MS, Broker, retry_ms
from streams.kafka.broker_watch import BrokerWatch
from tools.local.ports import HOST, free_port


def test_brokers_that_never_answered_are_not_there_and_the_watch_goes_on() -> None:
    changes: list[bool] = []

    async def watched() -> bool:
        watch = BrokerWatch(Broker(f"{HOST}:{free_port()}", "tests"), changes.append)
        async with watch.watching():
            while not changes:  # noqa: ASYNC110 - told by a callback
                await asyncio.sleep(0.01)
        return watch.is_answered()

    assert asyncio.run(asyncio.wait_for(watched(), 60)) is False
    assert changes == [False]


class AnsweredOnce:
    """A broker's client for metadata: answers its first question only, and moves a clock on."""

    def __init__(self, step_s: float) -> None:
        self.names = Broker("", "tests").names
        self.step_s = step_s
        self.now_s = 1_000.0
        self.asked = 0

    def metadata_client(self, _request_ms_max: int) -> Any:
        return self

    def set_topics(self, topics: list[str]) -> None:
        assert topics

    async def bootstrap(self) -> None:
        pass

    async def force_metadata_update(self) -> bool:
        self.asked += 1
        if self.asked == 1:
            return True
        self.now_s += self.step_s
        raise KafkaConnectionError

    async def close(self) -> None:
        pass


def test_brokers_are_lost_within_five_seconds_of_the_last_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker, changes = AnsweredOnce(step_s=0.5), list[tuple[bool, float]]()
    monkeypatch.setattr(broker_watch, "ASK_S", 0)
    monkeypatch.setattr(broker_watch, "monotonic", lambda: broker.now_s)

    async def watched() -> None:
        watch = BrokerWatch(
            cast(Broker, broker), lambda there: changes.append((there, broker.now_s - 1_000))
        )
        async with watch.watching():
            while not changes:  # noqa: ASYNC110 - told by a callback
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(watched(), 60))
    assert changes == [(False, 4.0)]


def test_clients_of_lost_brokers_wait_about_a_second_and_do_not_return_together() -> None:
    low, high = READER_RETRY_MS
    found = [retry_ms(READER_RETRY_MS) for _ in range(50)]
    assert all(low <= one <= high for one in found)
    assert len(set(found)) > 1
