"""Kafka for threads without an event loop: one loop in a background thread serves them all."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, contextmanager
from typing import Any, NamedTuple, Self, TypeAlias, TypeVar

from schemas.record import Outgoing, PartitionId, Record
from schemas.topics import TOPICS, Topic
from signer.core.registry.registry import Registry
from signer.keys.register import VaultRegister
from sixgate.backends.kafka.appender import sending
from sixgate.clocks import wall_ms
from streams.kafka.broker import Broker
from streams.kafka.errors import KafkaBusError, KafkaDeniedError, KafkaUnreachableError
from streams.kafka.handshake import diagnose_tls
from streams.kafka.loop import CALL_S_MAX, LoopThread
from streams.kafka.producer import Sender
from streams.kafka.projections import Projections
from streams.kafka.reader import EndOffsets, PartitionLag, Reader, group_lag, positions_since

# A partition may end with a transaction marker, which has an offset and is never delivered: reading
# to the end waits for it, this long at a time.
MARKER_MS = 50
FOLLOW_S = 0.5
T = TypeVar("T")
Failed: TypeAlias = Callable[[BaseException], None]


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
    """Reads projections and topics, and appends; any thread may call every method.

    The outcome of a write that failed is unknown, unless Kafka denied it: ``failed`` receives the
    error and must end a process that runs for long. It also receives errors of background work. It
    must not block.
    """

    def __init__(
        self,
        broker: Broker,
        trust_root: str,
        failed: Failed = lambda _: None,
        append_s_max: float = CALL_S_MAX,
    ) -> None:
        """Connect; read registry and vault events to their end. Raises ``KafkaBusError``."""
        self._broker = broker
        self._failed = failed
        self._append_s_max = append_s_max
        self._lock = threading.Lock()
        self._loop = LoopThread("kafka-api")
        self._opened = AsyncExitStack()
        self._sender: Sender | None = None
        self._ends: EndOffsets | None = None
        self._readers: set[Reader] = set()
        self._background: list[Future[None]] = []
        self._closing = False
        self._projections = Projections(broker, trust_root, wall_ms)
        try:
            self._loop.run(self._connect())
        except BaseException:
            self._loop.close()
            raise
        self.partitions = self.registry.partitions

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        try:
            for work in self._background:
                work.cancel()
            for reader in list(self._readers):
                self._close(reader)
            self._loop.run(self._opened.aclose())
        finally:
            self._loop.close()

    @property
    def registry(self) -> Registry:
        """The registry as last read."""
        return self._projections.view.registry

    def lag(self) -> Iterator[PartitionLag]:
        """Yield position and end of the partitions of registry and vault."""
        return self._projections.lag()

    @property
    def vaults(self) -> VaultRegister:
        """Keys and vaults as last read."""
        return self._projections.vault

    def refresh(self) -> None:
        """Read new records of registry and vault; not within ``unchanged``."""
        self._loop.run(self._projections.refresh())

    async def refresh_on_loop(self) -> None:
        """Read new records of registry and vault; for coroutines of ``run`` and ``start``."""
        await self._projections.refresh()

    def follow(self) -> None:
        """Read new records of registry and vault in the background until the bus closes."""
        self.start(self._follow())

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Keep registry and vaults unchanged."""
        with self._projections.lock:
            yield

    @contextmanager
    def refreshed(self) -> Iterator[None]:
        """Read registry and vaults to their end now, then keep them unchanged."""
        self.refresh()
        with self.unchanged():
            yield

    def append(self, events: Sequence[Outgoing]) -> None:
        """Append events, durable on return; raises ``KafkaBusError``."""
        with self._lock:
            if self._sender is None:
                self._sender = self._loop.run(self._open_sender())
        try:
            self._loop.run(self._sender.send(events), self._append_s_max)
        except KafkaDeniedError:
            raise
        except KafkaBusError as error:
            self._failed(error)
            raise

    def partition_ids(self, *topics: Topic) -> list[PartitionId]:
        """Return every partition of some topics."""
        return [(t, p) for t in topics for p in range(TOPICS[t].partitions(self.partitions))]

    def end_offsets(self, partitions: Sequence[PartitionId]) -> dict[PartitionId, int]:
        """Return the offset after the last committed record of every partition."""
        with self._lock:
            if self._ends is None:
                self._ends = self._loop.run(self._open_ends())
        return self._loop.run(self._ends.of(partitions))

    def first_offsets(
        self, partitions: Sequence[PartitionId], since_ms: int = 0
    ) -> dict[PartitionId, int]:
        """Return the first offset that each partition still holds, or has since a time."""
        return self._loop.run(positions_since(self._broker, partitions, since_ms))

    def unread(self, group: str, topic: Topic) -> int:
        """Return the lag of a consumer group on a topic, in records."""
        return self._loop.run(group_lag(self._broker, group, self.partition_ids(topic)))

    def open_reader(self, positions: Mapping[PartitionId, int]) -> BlockingReader:
        """Open a reader that closes with the bus; raises ``KafkaGapError`` as ``reading``."""
        reader = self._loop.call(lambda: Reader(self._broker, positions))
        self._loop.run(reader.__aenter__())
        self._readers.add(reader)
        return BlockingReader(self._loop, reader)

    @contextmanager
    def reading(self, positions: Mapping[PartitionId, int]) -> Iterator[BlockingReader]:
        """Lend a reader from ``positions`` on; raises ``KafkaGapError`` if the log begins later."""
        opened = self.open_reader(positions)
        try:
            yield opened
        finally:
            self._close(opened.reader)

    def pages(self, positions: Mapping[PartitionId, int]) -> Iterator[list[Record]]:
        """Yield all records from ``positions`` to the current ends of the partitions."""
        with self.reading(positions) as reading:
            yield from reading.to_end()

    def run(self, work: Coroutine[Any, Any, T], s_max: float) -> T:
        """Return the result of a coroutine; raise ``KafkaUnreachableError`` after ``s_max``."""
        return self._loop.run(work, s_max)

    def start(self, work: Coroutine[Any, Any, None]) -> "Future[None]":
        """Run a coroutine in the background until the bus closes."""
        started = self._loop.start(work)
        self._background.append(started)
        started.add_done_callback(self._ended)
        return started

    def _ended(self, work: "Future[None]") -> None:
        if not (self._closing or work.cancelled()) and (error := work.exception()):
            self._failed(error)

    def _close(self, reader: Reader) -> None:
        """Close a reader once. An unfinished stream may be closed after the bus."""
        if reader in self._readers:
            self._readers.discard(reader)
            self._loop.run(reader.__aexit__())

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(FOLLOW_S)
            await self._projections.refresh()

    async def _connect(self) -> None:
        try:
            await self._opened.enter_async_context(self._projections)
        except KafkaUnreachableError:
            await diagnose_tls(self._broker)
            raise

    async def _open_ends(self) -> EndOffsets:
        return await self._opened.enter_async_context(EndOffsets(self._broker))

    async def _open_sender(self) -> Sender:
        sender = sending(self._broker, lambda: self.partitions)
        return await self._opened.enter_async_context(sender)
