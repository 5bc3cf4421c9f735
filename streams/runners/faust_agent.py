"""A Faust agent that takes what is ready, and acks in order once its work on it is done.

Faust acks what an agent raised on and logs a stall, so whatever fails here ends the process at
once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, TypeAlias, TypeVar, cast

from faust.types import Message, StreamT

from streams.runners.faust_app import GatesApp

__all__ = ["EndProcess", "Message", "Work", "add_agent"]

BATCH_COUNT_MAX = 100  # judging them keeps the event loop for some milliseconds
T = TypeVar("T")
Work: TypeAlias = Callable[[Sequence[Message]], Awaitable[None]]
EndProcess: TypeAlias = Callable[[BaseException], NoReturn]


def add_agent(app: GatesApp, topic: str, name: str, work: Work, end_process: EndProcess) -> None:
    """Give the app an agent that awaits ``work`` on batches of a topic's raw messages."""
    raw: dict[str, Any] = {
        "value_type": bytes,
        "value_serializer": "raw",
        "key_type": bytes,
        "key_serializer": "raw",
    }

    async def agent(stream: StreamT[Any]) -> None:
        try:
            async for delivered in batches(cast(Any, stream).channel.queue):
                events = app.begun(delivered)
                await work([event.message for event in events])
                for event in events:
                    event.ack()
        except Exception as error:  # noqa: BLE001 - Faust would ack and go on
            end_process(error)

    app.agent(app.topic(topic, **raw), name=name, concurrency=1)(agent)


async def batches(queue: "asyncio.Queue[T]") -> AsyncIterator[list[T]]:
    """Yield what is ready, at least one event, without waiting for more, until Faust stops.

    Events are taken from where Faust delivers them: its own iterator of a stream costs each one a
    turn of the loop. It delivers a hundred messages of all topics in one turn. As long as each turn
    brings more they are taken together: what a batch costs is shared by those in it.
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
