"""Projections of the gates: registry, keys and accounts, read from Kafka without a consumer group.

They lag behind the topics. Every record is verified, and the signer decides again. Registry and
vault change only while ``lock`` is held, so that another thread can keep them unchanged.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import chain
from typing import Self

from schemas.record import REGISTRY_PARTITION, PartitionId
from schemas.topics import Topic
from signer.core.errors import RegistryRecordError
from signer.core.registry.registry import Registry
from signer.core.window import SPENT_MS
from signer.keys.orders import KeyOrderError
from signer.keys.register import VaultRegister
from streams.gates.passage import GateProjections
from streams.gates.projection import Projection
from streams.kafka.broker import Broker
from streams.kafka.errors import no_registry
from streams.kafka.reader import QUIET_WAIT_MS, PartitionLag, Reader, positions_since

FOLLOW_COUNT_MAX = 1_000
REFRESH_S = 0.5
LOCK_POLL_S = 0.001
GATHER_S = 0.1  # batching saves CPU, and account projections may lag that long


class Projections:
    """Registry and keys, read to their end on entry; accounts, followed in the background."""

    def __init__(self, broker: Broker, trust_root: str, now_ms: Callable[[], int]) -> None:
        self._broker = broker
        self._now_ms = now_ms
        registry = Registry(trust_root)
        self._accounts = Projection(registry)
        self.vault = VaultRegister()
        self.view = GateProjections(registry, self.vault.keys.reference, self._accounts.account)
        self._reading = asyncio.Lock()
        self.lock = threading.RLock()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opened:
            registry = self._reader([REGISTRY_PARTITION])
            self._registry_reader = await opened.enter_async_context(registry)
            await self._read_registry()
            self._require_registry()
            # The number of partitions is known only from the registry.
            vault = self._reader([(Topic.VAULT, partition) for partition in self._partitions()])
            self._vault_reader = await opened.enter_async_context(vault)
            await self._read_vault()
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    def _require_registry(self) -> None:
        if not self.view.registry.record_count:
            raise no_registry()

    @property
    def counts(self) -> tuple[int, int]:
        """The number of known registry records and vault events, whichever task read them."""
        return self.view.registry.record_count, self.vault.count

    async def refresh(self) -> None:
        """Read registry and vault to their current end."""
        async with self._reading:
            await self._read_vault()

    async def follow(self) -> None:
        """Follow registry, vault and outcomes until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._refresh_often())
            tasks.create_task(self._follow_outcomes())

    async def _refresh_often(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(REFRESH_S)

    async def _follow_outcomes(self) -> None:
        """Follow outcomes, from the oldest charge that still counts."""
        partitions: list[PartitionId] = [
            (Topic.OUTCOMES, partition) for partition in self._partitions()
        ]
        start = await positions_since(self._broker, partitions, self._now_ms() - SPENT_MS)
        async with Reader(self._broker, start) as reader:
            while True:
                for record in await reader.read(FOLLOW_COUNT_MAX):
                    self._accounts.apply(record.value)
                await asyncio.sleep(GATHER_S)

    def lag(self) -> Iterator[PartitionLag]:
        """Yield position and end of the partitions of registry and vault."""
        return chain(self._registry_reader.lag(), self._vault_reader.lag())

    def _reader(self, partitions: Sequence[PartitionId]) -> Reader:
        return Reader(self._broker, dict.fromkeys(partitions, 0), QUIET_WAIT_MS)

    async def _read_registry(self) -> None:
        async for records in self._registry_reader.read_to_end():
            async with self._changing():
                for record in records:
                    with suppress(RegistryRecordError):  # the signer audits the refusal
                        self.view.registry.apply(record.value)
        await self._registry_reader.mark_done()

    async def _read_vault(self) -> None:
        """Read the vault, then the registry, then apply the vault's events.

        An event depends on accounts and services that were registered before it. With a registry
        that was read first, it could be refused, and it is not read again.
        """
        events = [record async for page in self._vault_reader.read_to_end() for record in page]
        await self._read_registry()
        async with self._changing():
            for record in events:
                with suppress(KeyOrderError):
                    self.vault.load(record.value, self.view.registry)
        await self._vault_reader.mark_done()

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        """Hold the lock; a thread that holds it may itself wait for this event loop."""
        while not self.lock.acquire(blocking=False):  # noqa: ASYNC110 - a lock of threads
            await asyncio.sleep(LOCK_POLL_S)  # the other thread holds it for a few look-ups
        try:
            yield
        finally:
            self.lock.release()

    def _partitions(self) -> range:
        return range(self.view.registry.partitions)
