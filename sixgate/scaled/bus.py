"""Kafka for threads without an event loop: one loop in a background thread serves them all."""

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
from streams.kafka.handshake import diagnose_tls
from streams.kafka.loop import LoopThread
from streams.kafka.producer import Sender
from streams.kafka.projections import Projections
from streams.kafka.reader import Reader, ends_of, group_lag, positions_since

# A partition may end with a transaction marker, which has an offset and is never delivered: reading
# to the end waits for it, this long at a time.
MARKER_MS = 50


class BlockingReader(NamedTuple):
    """A Kafka reader together with the loop that runs it."""

    loop: LoopThread
    reader: Reader

    def read(self, count_max: int, wait_ms: int) -> list[Record]:
        """Return the next records, or an empty list if there are none within ``wait_ms``."""
        return self.loop.run(self.reader.read(count_max, wait_ms))

    def to_end(self) -> Iterator[list[Record]]:
        """Yield all records up to the current ends of the partitions."""
        pages = self.reader.read_to_end(MARKER_MS)
        while (page := self.loop.run(_next(pages))) is not None:
            yield page


async def _next(pages: AsyncIterator[list[Record]]) -> list[Record] | None:
    return await anext(pages, None)


class Bus:
    """Reads projections and topics, and appends; any thread may call every method."""

    def __init__(self, broker: Broker, trust_root: str) -> None:
        """Connect; read registry and vault events to their end. Raises ``KafkaBusError``."""
        self._broker = broker
        self._lock = threading.RLock()
        self._loop = LoopThread("kafka-api")
        self._opened = AsyncExitStack()
        self._sender: Sender | None = None
        self._readers: set[Reader] = set()
        self._projections = Projections(broker, trust_root, wall_ms)
        try:
            self._loop.run(self._connect())
        except BaseException:
            self._loop.close()
            raise
        self.partitions = self._projections.view.registry.partitions

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for reader in list(self._readers):
                self._close(reader)
            self._loop.run(self._opened.aclose())
        finally:
            self._loop.close()

    @contextmanager
    def refreshed(self) -> Iterator[GateProjections]:
        """Lend the projections, read to their end now; they do not change while lent."""
        with self._lock:
            self.refresh()
            yield self._projections.view

    def refresh(self) -> None:
        """Read new records of registry and vault."""
        with self._lock:
            self._loop.run(self._projections.refresh())

    @property
    def vaults(self) -> VaultRegister:
        """The vault events read so far. Use it only within ``refreshed``."""
        return self._projections.vault

    @contextmanager
    def cached(self) -> Iterator[GateProjections]:
        """Lend the projections as last read."""
        with self._lock:
            yield self._projections.view

    def append(self, events: Sequence[Outgoing]) -> None:
        """Append events, durable on return; raises ``KafkaBusError``."""
        with self._lock:
            if self._sender is None:
                self._sender = self._loop.run(self._open_sender())
        self._loop.run(self._sender.send(events))

    def partition_ids(self, *topics: Topic) -> list[PartitionId]:
        """Return every partition of some topics."""
        return [(t, p) for t in topics for p in range(TOPICS[t].partitions(self.partitions))]

    def end_offsets(self, partitions: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the offset after the last committed record of every partition."""
        return self._loop.run(ends_of(self._broker, partitions))

    def first_offsets(self, partitions: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the first offset that each partition still holds."""
        return self._loop.run(positions_since(self._broker, partitions, 0))

    def unread(self, group: str, topic: Topic) -> int:
        """Return the lag of a consumer group on a topic, in records."""
        return self._loop.run(group_lag(self._broker, group, self.partition_ids(topic)))

    @contextmanager
    def reading(self, positions: Mapping[PartitionId, int]) -> Iterator[BlockingReader]:
        """Lend a reader from ``positions`` on; raises ``KafkaGapError`` if the log begins later."""
        reader = self._loop.call(lambda: Reader(self._broker, positions))
        self._loop.run(reader.__aenter__())
        self._readers.add(reader)
        try:
            yield BlockingReader(self._loop, reader)
        finally:
            self._close(reader)

    def pages(self, positions: Mapping[PartitionId, int]) -> Iterator[list[Record]]:
        """Yield all records from ``positions`` to the current ends of the partitions."""
        with self.reading(positions) as reading:
            yield from reading.to_end()

    def accounts(self) -> Callable[[str], Account]:
        """Return a lookup of accounts, projected from the verified outcomes of the last day."""
        partitions = self.partition_ids(Topic.OUTCOMES)
        start = self._loop.run(positions_since(self._broker, partitions, wall_ms() - SPENT_MS))
        with self.refreshed() as projections:
            accounts = Projection(projections.registry)
            for page in self.pages(start):
                for record in page:
                    accounts.apply(record.value)
        return accounts.account

    def _close(self, reader: Reader) -> None:
        """Close a reader once. An unfinished stream may be closed after the bus."""
        if reader in self._readers:
            self._readers.discard(reader)
            self._loop.run(reader.__aexit__())

    async def _connect(self) -> None:
        try:
            await self._opened.enter_async_context(self._projections)
        except KafkaUnreachableError:
            await diagnose_tls(self._broker)
            raise

    async def _open_sender(self) -> Sender:
        sender = Sender(self._broker, lambda: self.partitions)
        return await self._opened.enter_async_context(sender)
