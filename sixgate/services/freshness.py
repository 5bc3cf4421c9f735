"""Registry freshness: waits for a fresh head before a process relies on registry and clock."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Self

from schemas.ledger.heads import RegistryHead
from signer.core.registry.registry import Registry
from signer.stage.freshness import require_not_withheld
from sixgate.clocks import wall_ms
from sixgate.config.sections import HeadSettings
from sixgate.services.monitor import Monitor
from streams.kafka.broker import Broker
from streams.kafka.registry_watch import RegistryWatch

FOLLOW_S = 1.0
_LOG = logging.getLogger("sixgate.freshness")


def log_stale_head(why: str) -> None:
    """Log that a process waits for a fresh registry head."""
    _LOG.warning("registry.head_stale", extra={"detail": why})


class Freshness:
    """Follows registry heads from enter to exit, unless the settings do not require them."""

    def __init__(
        self, broker: Broker, trust_root: str, monitor: Monitor, settings: HeadSettings
    ) -> None:
        """``monitor`` exports the head's age; the process is ready only while the head is fresh."""
        self._watch: RegistryWatch | None = None
        if settings.head_required:
            self._watch = RegistryWatch(broker, trust_root, wall_ms, self._on_wait)
        self._wait_s_max = settings.head_wait_s_max
        self._monitor = monitor
        self._following: asyncio.Task[None] | None = None
        self._opened = AsyncExitStack()
        self._has_waited = False

    async def __aenter__(self) -> Self:
        if self._watch:
            await self._opened.enter_async_context(self._watch)
            self._following = asyncio.create_task(self._watch.follow())
            self._opened.callback(self._following.cancel)
            self._monitor.show_head_age(self._watch.age_s)
            self._monitor.ready_while(self._watch.has_fresh_head)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def head(self, stop: asyncio.Event | None = None) -> RegistryHead | None:
        """Wait for a fresh head; return None if heads are not required or ``stop`` is set.

        Raises ``RegistryStaleError``, and ``KafkaBusError`` if following the heads failed.
        """
        if self._watch is None:
            return None
        if self._following and self._following.done():
            self._following.result()
        head = await self._watch.fresh_head(self._wait_s_max, stop)
        if head and self._has_waited:
            self._has_waited = False
            _LOG.info("registry.head_fresh")
        return head

    async def follow(self, read: Callable[[], Registry], stop: asyncio.Event) -> None:
        """Check until ``stop`` is set that the registry is fresh and that no record was withheld.

        ``read`` reads the new records of the process's own registry and returns it; it may block.
        Raises what ``head`` raises, and ``RegistryStaleError`` for a withheld record.
        """
        while not stop.is_set():
            head = await self.head(stop)
            if head is not None:
                require_not_withheld(head, await asyncio.to_thread(read))
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW_S):
                    await stop.wait()

    def _on_wait(self, why: str) -> None:
        self._has_waited = True
        log_stale_head(why)

    async def now_ms(self) -> int:
        """Return the time, once a fresh head confirms the clock; raises what ``head`` raises."""
        await self.head()
        return wall_ms()
