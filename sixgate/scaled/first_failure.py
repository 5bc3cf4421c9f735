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

    async def wait(self, stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` until ``stop`` is set; raise its error, or the first one of others."""
        working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
        every: set[asyncio.Future[Any]] = {working, stopping, self._failed}
        try:
            await asyncio.wait(every, return_when=asyncio.FIRST_COMPLETED)
        finally:
            working.cancel()
            stopping.cancel()
        for ended in (self._failed, working):
            if ended.done():
                ended.result()

    def _take(self, error: BaseException) -> None:
        if not self._failed.done():
            self._failed.set_exception(error)
