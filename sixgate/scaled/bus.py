"""Kafka for threads that have no event loop: one loop in a thread of its own serves them all."""

import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import NamedTuple, Self

from schemas.record import Outgoing, PartitionId, Record
from schemas.topics import TOPICS, Topic
from signer.account import Account
from signer.vaults.register import VaultRegister
from signer.window import SPENT_MS
from sixgate.clocks import wall_ms
from streams.gates.passage import GateProjections
from streams.gates.projection import Projection
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaUnreachableError
from streams.kafka.handshake import refuse_unbelieved
from streams.kafka.loop import LoopThread
from streams.kafka.producer import Sender
from streams.kafka.projections import Projections
from streams.kafka.reader import Reader, ends_of, positions_since, unread_by

# Where a transaction ends, nothing but its mark may be left to wait for.
MARK_MS = 50


class Reading(NamedTuple):
    """A reader on the loop that serves it."""

    loop: LoopThread
    reader: Reader

    def read(self, count_max: int, wait_ms: int) -> list[Record]:
        """Return the next records, none where there are none within ``wait_ms``."""
        return self.loop.run(self.reader.read(count_max, wait_ms))

    def to_end(self) -> Iterator[list[Record]]:
        """Yield all records up to where the partitions end now."""
        pages = self.reader.read_to_end(MARK_MS)
        while (page := self.loop.run(_next(pages))) is not None:
            yield page


async def _next(pages: AsyncIterator[list[Record]]) -> list[Record] | None:
    return await anext(pages, None)


class Bus:
    """What is registered, appending, and reading; every method may be called from any thread."""

    def __init__(self, broker: Broker, trust_root: str) -> None:
        """Connect and read registry and keys to their end; raises ``KafkaBusError``."""
        self._broker = broker
        self._lock = threading.RLock()
        self._loop = LoopThread("front-door")
        self._opened = AsyncExitStack()
        self._sender: Sender | None = None
        self._readers: set[Reader] = set()
        self._projections = Projections(broker, trust_root, wall_ms)
        try:
            self._loop.run(self._connect())
        except BaseException:
            self._loop.close()
            raise
        self.partitions = self._projections.world.registry.partitions

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for reader in list(self._readers):
                self._leave(reader)
            self._loop.run(self._opened.aclose())
        finally:
            self._loop.close()

    @contextmanager
    def refreshed(self) -> Iterator[GateProjections]:
        """Lend what is registered, read to its end now; it changes only by ``refresh``."""
        with self._lock:
            self.refresh()
            yield self._projections.world

    def refresh(self) -> None:
        """Read what was registered since."""
        with self._lock:
            self._loop.run(self._projections.refresh())

    @property
    def vaults(self) -> VaultRegister:
        """All that signers said on ``vault``, as far as it was read: for whoever has ``known``."""
        return self._projections.said

    @contextmanager
    def cached(self) -> Iterator[GateProjections]:
        """Lend what is registered as far as it was read."""
        with self._lock:
            yield self._projections.world

    def append(self, events: Sequence[Outgoing]) -> None:
        """Append events, durable on return; raises ``KafkaBusError``."""
        with self._lock:
            if self._sender is None:
                self._sender = self._loop.run(self._open_sender())
        self._loop.run(self._sender.send(events))

    def places(self, *topics: Topic) -> list[PartitionId]:
        """Return every partition of some topics."""
        return [(t, p) for t in topics for p in range(TOPICS[t].partitions(self.partitions))]

    def end_offsets(self, places: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the offset behind the last committed record of every partition."""
        return self._loop.run(ends_of(self._broker, places))

    def first_offsets(self, places: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the first offset that each partition still holds."""
        return self._loop.run(positions_since(self._broker, places, 0))

    def unread(self, group: str, topic: Topic) -> int:
        """Return how many records of a topic lie behind what a consumer group has read."""
        return self._loop.run(unread_by(self._broker, group, self.places(topic)))

    @contextmanager
    def reading(self, positions: Mapping[PartitionId, int]) -> Iterator["Reading"]:
        """Lend a reader that begins at ``positions``; raises ``KafkaGapError`` if that is gone."""
        reader = self._loop.call(lambda: Reader(self._broker, positions))
        self._loop.run(reader.__aenter__())
        self._readers.add(reader)
        try:
            yield Reading(self._loop, reader)
        finally:
            self._leave(reader)

    def pages(self, positions: Mapping[PartitionId, int]) -> Iterator[list[Record]]:
        """Yield all records from ``positions`` to where the partitions end now."""
        with self.reading(positions) as reading:
            yield from reading.to_end()

    def accounts(self) -> Callable[[str], Account]:
        """Return accounts as the proven outcomes of the last day tell."""
        places = self.places(Topic.OUTCOMES)
        start = self._loop.run(positions_since(self._broker, places, wall_ms() - SPENT_MS))
        with self.refreshed() as world:
            told = Projection(world.registry)
            for page in self.pages(start):
                for record in page:
                    told.apply(record.value)
        return told.account

    def _leave(self, reader: Reader) -> None:
        """Close a reader, unless that was done: an unread stream may outlive what it reads from."""
        if reader in self._readers:
            self._readers.discard(reader)
            self._loop.run(reader.__aexit__())

    async def _connect(self) -> None:
        try:
            await self._opened.enter_async_context(self._projections)
        except KafkaUnreachableError:
            await refuse_unbelieved(self._broker)
            raise

    async def _open_sender(self) -> Sender:
        sender = Sender(self._broker, lambda: self.partitions)
        return await self._opened.enter_async_context(sender)
