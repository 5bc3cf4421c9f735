"""What the gates know, read from topics by plain consumers: late, and proven all the same."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from itertools import chain
from typing import Self

from schemas.record import REGISTRY_PARTITION, PartitionId
from schemas.topics import Topic
from signer.keys.orders import KeyOrderError
from signer.registry import Registry, RegistryRecordError
from signer.vaults.register import VaultRegister
from signer.window import SPENT_MS
from streams.gates.passage import GateProjections
from streams.gates.projection import Projection
from streams.kafka.broker import Broker
from streams.kafka.errors import no_registry
from streams.kafka.reader import QUIET_WAIT_MS, Reader, Waiting, positions_since

FOLLOW_COUNT_MAX = 1_000
REFRESH_S = 0.5
GATHER_S = 0.1  # outcomes that come one by one cost less together, and here they may be late


class Projections:
    """Registry and keys, read to their end on entering; accounts, followed behind the scenes."""

    def __init__(self, broker: Broker, trust_root: str, now_ms: Callable[[], int]) -> None:
        self._broker = broker
        self._now_ms = now_ms
        registry = Registry(trust_root)
        self._accounts = Projection(registry)
        self.said = VaultRegister()
        self.world = GateProjections(registry, self.said.keys, self._accounts.account)
        self._reading = asyncio.Lock()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            self._registry = await opened.enter_async_context(self._reader([REGISTRY_PARTITION]))
            await self._read_registry()
            self._refuse_none()
            places = [(Topic.VAULT, partition) for partition in self._partitions()]
            self._vault = await opened.enter_async_context(self._reader(places))
            await self._read_vault()
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def _refuse_none(self) -> None:
        if not self.world.registry.sequence:
            raise no_registry()

    @property
    def known(self) -> tuple[int, int]:
        """Return how many records of registry and vault are known, whoever read them."""
        return self.world.registry.sequence, self.said.count

    async def refresh(self) -> None:
        """Read registry and keys to where they end now."""
        async with self._reading:
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
        """Begin where what was spent counts still."""
        places: list[PartitionId] = [
            (Topic.OUTCOMES, partition) for partition in self._partitions()
        ]
        start = await positions_since(self._broker, places, self._now_ms() - SPENT_MS)
        async with Reader(self._broker, start) as reader:
            while True:
                for record in await reader.read(FOLLOW_COUNT_MAX):
                    self._accounts.apply(record.value)
                await asyncio.sleep(GATHER_S)

    def waiting(self) -> Iterator[Waiting]:
        """Tell how far registry and vault were read."""
        return chain(self._registry.waiting(), self._vault.waiting())

    def _reader(self, places: Sequence[PartitionId]) -> Reader:
        return Reader(self._broker, dict.fromkeys(places, 0), QUIET_WAIT_MS)

    async def _read_registry(self) -> None:
        async for records in self._registry.read_to_end():
            for record in records:
                with suppress(RegistryRecordError):  # the signer puts what it refuses on record
                    self.world.registry.apply(record.value)
        await self._registry.have_done()

    async def _read_vault(self) -> None:
        """Take the answers that are there, and before them what is registered by now.

        An answer relies on accounts and services that were registered before it came: with a
        registry read earlier it would be refused, and is not read again.
        """
        answers = [record async for page in self._vault.read_to_end() for record in page]
        await self._read_registry()
        for record in answers:
            with suppress(KeyOrderError):
                self.said.load(record.value, self.world.registry)
        await self._vault.have_done()

    def _partitions(self) -> range:
        return range(self.world.registry.partitions)
