"""Faust agents that process batches and acknowledge in order, after their work is done.

1. Take a batch of delivered messages.
2. Await ``work``, which sends everything that follows from the batch.
3. Acknowledge in order. *If the process ends before that, the batch is delivered again.*

Faust acknowledges a message whose agent raised, and only logs a stalled agent. So any failure here
ends the process immediately.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar, cast

from faust.types import Message, StreamT

from streams.runners.faust_app import EndProcess, GatesApp

__all__ = ["EndProcess", "Message", "Work", "add_agent"]

BATCH_COUNT_MAX = 100  # deciding that many blocks the event loop for some milliseconds
T = TypeVar("T")
Work: TypeAlias = Callable[[Sequence[Message]], Awaitable[None]]


def add_agent(app: GatesApp, topic: str, name: str, work: Work, end_process: EndProcess) -> None:
    """Add an agent to the app that awaits ``work`` on batches of a topic's raw messages."""
    raw: dict[str, Any] = {
        "value_type": bytes,
        "value_serializer": "raw",
        "key_type": bytes,
        "key_serializer": "raw",
    }

    async def agent(stream: StreamT[Any]) -> None:
        try:
            async for delivered in batches(cast(Any, stream).channel.queue):
                # 1. If the process ends here, nothing of this batch was acknowledged.
                events = app.accept(delivered)
                # 2. If the process ends here, some records may be sent; they are sent again after
                # redelivery.
                await work([event.message for event in events])
                # 3. Faust commits acknowledged offsets every COMMIT_S.
                for event in events:
                    event.ack()
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge and continue
            end_process(error)

    app.agent(app.topic(topic, **raw), name=name, concurrency=1)(agent)


async def batches(queue: "asyncio.Queue[T]") -> AsyncIterator[list[T]]:
    """Yield batches of ready events, each of at least one, until Faust stops.

    Events are taken from the queue to which Faust delivers: its own stream iterator costs one turn
    of the event loop per event. Faust delivers up to a hundred messages of all topics in one turn.
    A batch grows while each turn adds events, because its events share the cost of a batch.
    """
    with suppress(StopAsyncIteration):  # what Faust's queue raises at the end
        while True:
            batch = [await queue.get()]
            while more := _ready(queue, BATCH_COUNT_MAX - len(batch)):
                batch += more
                await asyncio.sleep(0)
            yield batch


def _ready(queue: "asyncio.Queue[T]", count_max: int) -> list[T]:
    return [queue.get_nowait() for _ in range(min(queue.qsize(), count_max))]
