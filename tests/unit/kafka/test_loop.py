"""The loop that Kafka's client runs in, beside a command."""

import asyncio

from streams.kafka.loop import LoopThread


def test_what_is_at_work_ends_with_the_loop() -> None:
    """Python tells whoever pressed Ctrl-C of every task that is left."""
    loop = LoopThread("test")
    task = loop.call(lambda: asyncio.ensure_future(asyncio.Event().wait()))
    loop.close()
    assert task.cancelled()
