"""Waits for the ends of submitted intents: in a thread, and on an event loop."""

import asyncio
import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from schemas.record import Outgoing
from sixgate.answers.outcome_notifications import Notice, NoticeQueue, Watch
from sixgate.answers.pending_records import Names, Pending, is_repetition
from sixgate.api import Json
from sixgate.backends.ports import Backend
from sixgate.clocks import boot_ms

CHECK_S = 0.5


def first_end(backend: Backend, watch: Watch, intent: str) -> Json | None:
    """Return the recorded end of an intent; None if ``watch`` will notice it from now on."""
    # Before the look-up, so that an outcome that is committed meanwhile is noticed.
    watch.add(intent)
    return backend.outcome(intent)


def submit_and_wait(
    backend: Backend, events: Sequence[Outgoing], names: Sequence[Names]
) -> Iterator[Json]:
    """Append records and yield their ends, as ``Api.submit`` does with ``wait``."""
    notices: NoticeQueue = queue.SimpleQueue()
    # Watching begins before anything is appended, so that no end is missed.
    with backend.wait.watching(chain.from_iterable(names), notices) as watch:
        backend.submit.append(events)
        yield {"accepted": len(events)}
        pending, noticed_at_ms = Pending(names), boot_ms()
        while pending:
            try:
                found = notices.get(timeout=CHECK_S)
            except queue.Empty:
                backend.wait.check_deciding(boot_ms() - noticed_at_ms)
                continue
            noticed_at_ms = boot_ms()
            yield from _taken(backend, watch, pending, found)


@contextmanager
def expecting(backend: Backend, names: Names) -> Iterator["Expected"]:
    """Watch for the end of an intent from now on; enter it before the intent is appended."""
    notices = _LoopQueue(asyncio.get_running_loop())
    with backend.wait.watching(names, notices) as watch:
        yield Expected(backend, watch, notices, Pending([names]))


@dataclass(frozen=True, slots=True)
class _LoopQueue:
    """Passes notices from another thread to an event loop."""

    loop: asyncio.AbstractEventLoop
    notices: "asyncio.Queue[list[Notice]]" = field(default_factory=asyncio.Queue)

    def put(self, notices: list[Notice]) -> None:
        self.loop.call_soon_threadsafe(self.notices.put_nowait, notices)


@dataclass(frozen=True, slots=True)
class Expected:
    """The awaited end of one submitted intent."""

    backend: Backend
    watch: Watch
    queue: _LoopQueue
    pending: Pending

    async def result(self, wait_s: float) -> Json | None:
        """Return ``{intent, result, repeated}``, or None if there is no end within ``wait_s``."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        while (left_s := started_s + wait_s - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left_s, CHECK_S)):
                    notices = await self.queue.notices.get()
            except TimeoutError:
                waited_ms = int((loop.time() - started_s) * 1_000)
                self.backend.wait.check_deciding(waited_ms)
                continue
            if any(is_repetition(event) for _, event in notices):
                # Looking up the earlier end reads the ledger, which blocks.
                ends = await asyncio.to_thread(self._taken, notices)
            else:
                ends = self._taken(notices)
            if ends:
                return ends[0]
        return None

    def _taken(self, notices: list[Notice]) -> list[Json]:
        return list(_taken(self.backend, self.watch, self.pending, notices))


def _taken(
    backend: Backend, watch: Watch, pending: Pending, notices: list[Notice]
) -> Iterator[Json]:
    for name, event in notices:
        yield from pending.take(name, event, partial(first_end, backend, watch))
