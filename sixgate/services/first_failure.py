"""The first failure of the threads and tasks of a process, which ends the process."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


class FirstFailure:
    """Receives errors in any thread; ``wait`` raises the first one in the process's event loop."""

    def __init__(self) -> None:
        """Must be made on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._failed: asyncio.Future[None] = self._loop.create_future()

    def __call__(self, error: BaseException) -> None:
        """Take an error; only the first one counts. Does not block."""
        with suppress(RuntimeError):  # the loop is closed: the process ends already
            self._loop.call_soon_threadsafe(self._take, error)

    async def wait(self, stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
        """Run ``works`` until ``stop`` is set; raise the first error of them, or of others."""
        working = [asyncio.create_task(work) for work in (*works, _set(stop))]
        every: list[asyncio.Future[None]] = [self._failed, *working]
        try:
            await asyncio.wait(every, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in working:
                task.cancel()
        for ended in every:
            if ended.done():
                ended.result()

    def _take(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)


async def _set(stop: asyncio.Event) -> None:
    await stop.wait()
