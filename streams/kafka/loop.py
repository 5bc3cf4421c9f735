"""An event loop in a thread of its own, for a synchronous process that speaks to Kafka."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from streams.kafka.errors import KafkaUnreachableError

CALL_S_MAX = 60
CANCEL_S_MAX = 1
T = TypeVar("T")


class LoopThread:
    """Runs coroutines for threads that have no loop; each call is waited for, within a bound."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], s_max: float = CALL_S_MAX) -> T:
        """Return what a coroutine returns, and raise what it raises.

        Raises ``KafkaUnreachableError`` if it is not done in time; it is cancelled then.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(s_max)
        except TimeoutError as error:
            if not future.cancel():
                raise
            raise KafkaUnreachableError(
                f"Kafka gave no answer for {s_max:g} s: check that a broker runs."
            ) from error

    def call(self, function: Callable[[], T]) -> T:
        """Return what a function returns inside the loop, where aiokafka's objects are made."""

        async def called() -> T:
            return function()

        return self.run(called())

    def close(self) -> None:
        """Cancel what is at work yet, and end the loop and its thread."""
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    """Let no connection outlive its loop: Python would tell whoever pressed Ctrl-C about it."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=CANCEL_S_MAX)
