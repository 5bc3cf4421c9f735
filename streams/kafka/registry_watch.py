"""Registry watch: follows registry and heads in the background, to prove freshness."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Self

from schemas.ledger.heads import RegistryHead
from schemas.record import REGISTRY_PARTITION, PartitionId, Record
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from signer.stage.freshness import RegistryHeads, RegistryStaleError
from streams.kafka.broker import Broker
from streams.kafka.reader import QUIET_WAIT_MS, PartitionLag, Reader

FOLLOW_COUNT_MAX = 1_000
POLL_S = 0.1
HEADS: PartitionId = (Topic.REGISTRY_HEADS, 0)


class RegistryWatch:
    """Its own copy of the registry and the newest heads, read to their end on entry."""

    def __init__(
        self,
        broker: Broker,
        trust_root: str,
        now_ms: Callable[[], int],
        on_wait: Callable[[str], None],
    ) -> None:
        """``on_wait`` receives the reason whenever ``fresh_head`` starts to wait."""
        self.registry = Registry(trust_root)
        self._heads = RegistryHeads()
        self._now_ms = now_ms
        self._on_wait = on_wait
        self._reader = Reader(broker, {REGISTRY_PARTITION: 0, HEADS: 0}, QUIET_WAIT_MS)

    async def __aenter__(self) -> Self:
        await self._reader.__aenter__()
        try:
            await self.read_to_end()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.__aexit__()

    async def read_to_end(self) -> None:
        """Read registry and heads to their current end."""
        await self.load(self._reader.read_to_end())

    async def load(self, pages: AsyncIterable[Sequence[Record]]) -> None:
        """Apply pages of registry records and heads, in any order of the two topics.

        A page of heads may arrive before the record that registers their registrar.
        """
        heads: list[Record] = []
        async for records in pages:
            self._apply_registry(records)
            heads += (record for record in records if record.topic is Topic.REGISTRY_HEADS)
        self._apply_heads(heads)

    async def read(self) -> None:
        """Read the next records, if any arrive within a second."""
        self._apply(await self._reader.read(FOLLOW_COUNT_MAX))

    async def follow(self) -> None:
        """Read new records until cancelled."""
        while True:
            await self.read()

    def head(self) -> RegistryHead:
        """Return the head nearest to now; raise ``RegistryStaleError`` unless it is fresh."""
        return self._heads.nearest(self.registry, self._now_ms())

    def has_fresh_head(self) -> bool:
        """Return whether ``head`` would return one."""
        try:
            self.head()
        except RegistryStaleError:
            return False
        return True

    async def fresh_head(
        self, wait_s_max: float, stop: asyncio.Event | None = None
    ) -> RegistryHead | None:
        """Wait for a fresh head and return it; None if ``stop`` is set first.

        Raises ``RegistryStaleError`` after ``wait_s_max``.
        """
        ends_at_s, reported = asyncio.get_running_loop().time() + wait_s_max, False
        while stop is None or not stop.is_set():
            try:
                return self.head()
            except RegistryStaleError as error:
                if asyncio.get_running_loop().time() > ends_at_s:
                    raise
                if not reported:
                    self._on_wait(str(error))
                reported = True
            await asyncio.sleep(POLL_S)
        return None

    def heads(self) -> list[RegistryHead]:
        """Return the newest head of each active registrar."""
        return list(self._heads.active(self.registry))

    def age_s(self) -> float:
        """Return the age of the newest head by this clock; infinite without a head."""
        ages_ms = [self._now_ms() - head.at_ms for head in self.heads()]
        return min(ages_ms, key=abs, default=float("inf")) / 1000

    def lag(self) -> Iterator[PartitionLag]:
        """Yield position and end of the registry and of its heads."""
        return self._reader.lag()

    def _apply(self, records: Sequence[Record]) -> None:
        """Apply registry records first: a head counts once its registrar is registered."""
        self._apply_registry(records)
        self._apply_heads(records)

    def _apply_registry(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.topic is Topic.REGISTRY:
                with suppress(RegistryRecordError):  # the signer audits the refusal
                    self.registry.apply(record.value)

    def _apply_heads(self, records: Sequence[Record]) -> None:
        for record in records:
            if record.topic is Topic.REGISTRY_HEADS:
                self._heads.add(record.value, self.registry, self._now_ms())
