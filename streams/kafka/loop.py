"""Event loop in its own thread, for synchronous code that uses Kafka."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from streams.kafka.errors import KafkaUnreachableError

CALL_S_MAX = 60
CANCEL_S_MAX = 1
T = TypeVar("T")


class LoopThread:
    """Runs coroutines for threads without a loop; each call blocks, up to a timeout."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], s_max: float = CALL_S_MAX) -> T:
        """Return the coroutine's result or raise its error.

        After ``s_max`` seconds, cancels it and raises ``KafkaUnreachableError``.
        """
        future = self.start(work)
        try:
            return future.result(s_max)
        except TimeoutError as error:
            if not future.cancel():  # the coroutine itself raised this TimeoutError
                raise
            raise KafkaUnreachableError(
                f"Kafka did not answer for {s_max:g} s: check that a broker runs."
            ) from error

    def start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine in the background."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function inside the loop: aiokafka's objects must be created there."""

        async def called() -> T:
            return function()

        return self.run(called())

    def close(self) -> None:
        """Cancel running tasks, and end the loop and its thread."""
        asyncio.run_coroutine_threadsafe(_cancel_others(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancel_others() -> None:
    """Cancel all tasks: Python warns about connections that outlive their loop after Ctrl-C."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=CANCEL_S_MAX)
