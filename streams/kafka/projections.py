"""What the gates know, read from topics by plain consumers: late, and proven all the same."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from typing import Self

from schemas.topics import DAY_MS, Topic
from signer.keys import KeyRefused, KeyRegister
from signer.registry import Registry, RegistryRefused
from streams.gates.passage import World
from streams.gates.projection import Projection
from streams.kafka.broker import Broker
from streams.kafka.errors import RegistryMissing
from streams.kafka.reader import Place, Reader, positions_since

FOLLOW_COUNT_MAX = 1_000
REFRESH_S = 0.5


class Projections:
    """Registry and keys, read to their end on entering; accounts, followed behind the scenes."""

    def __init__(self, broker: Broker, trust_root: str, now_ms: Callable[[], int]) -> None:
        self._broker = broker
        self._now_ms = now_ms
        registry = Registry(trust_root)
        self._accounts = Projection(registry)
        self.world = World(registry, KeyRegister(), self._accounts.account)
        self._reading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            start: dict[Place, int] = {(Topic.REGISTRY, 0): 0}
            self._registry = await opened.enter_async_context(Reader(self._broker, start))
            await self._read_registry()
            self._refuse_none()
            start = {(Topic.VAULT, partition): 0 for partition in self._partitions()}
            self._vault = await opened.enter_async_context(Reader(self._broker, start))
            await self._read_vault()
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def _refuse_none(self) -> None:
        if not self.world.registry.sequence:
            raise RegistryMissing(
                "Kafka holds no registry of the organisation that this data folder trusts: run "
                "sixgate publish, or check which folder and which brokers are meant."
            )

    @property
    def known(self) -> tuple[int, int]:
        """Return how many registry records and keys are known, whoever read them."""
        return self.world.registry.sequence, len(self.world.keys.by_path)

    async def refresh(self) -> None:
        """Read registry and keys to where they end now."""
        async with self._reading:
            await self._read_registry()
            await self._read_vault()

    async def follow(self) -> None:
        """Follow registry, keys and outcomes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh_often())
            tasks.create_task(self._follow_outcomes())

    async def _refresh_often(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH_S)

    async def _follow_outcomes(self) -> None:
        """Begin a day back: what was spent before counts no more."""
        places: list[Place] = [(Topic.OUTCOMES, partition) for partition in self._partitions()]
        start = await positions_since(self._broker, places, self._now_ms() - DAY_MS)
        async with Reader(self._broker, start) as reader:
            while True:
                for record in await reader.read(FOLLOW_COUNT_MAX):
                    self._accounts.apply(record.value)
                await asyncio.sleep(0)

    async def _read_registry(self) -> None:
        async for records in self._registry.read_to_end():
            for record in records:
                with suppress(RegistryRefused):  # the signer puts what it refuses on record
                    self.world.registry.apply(record.value)

    async def _read_vault(self) -> None:
        async for records in self._vault.read_to_end():
            for record in records:
                with suppress(KeyRefused):
                    self.world.keys.apply(record.value, self.world.registry)

    def _partitions(self) -> range:
        return range(self.world.registry.partitions)
