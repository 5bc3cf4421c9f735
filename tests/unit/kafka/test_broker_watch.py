"""The watch over the brokers, against addresses where no broker answers."""

import asyncio

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


def test_clients_of_lost_brokers_wait_about_a_second_and_do_not_return_together() -> None:
    low, high = READER_RETRY_MS
    found = [retry_ms(READER_RETRY_MS) for _ in range(50)]
    assert all(low <= one <= high for one in found)
    assert len(set(found)) > 1
