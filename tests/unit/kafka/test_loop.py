"""The event loop thread of the Kafka client."""

import asyncio

from streams.kafka.loop import LoopThread


def test_running_tasks_end_with_the_loop() -> None:
    """Python warns about every remaining task after Ctrl-C."""
    loop = LoopThread("test")
    task = loop.call(lambda: asyncio.ensure_future(asyncio.Event().wait()))
    loop.close()
    assert task.cancelled()
