"""Accounts on Kafka: a projection of the verified outcomes of the last day."""

import asyncio
import threading
from collections.abc import Sequence

from schemas.record import Record
from schemas.topics import Topic
from signer.core.account import Account
from signer.core.window import SPENT_MS
from sixgate.backends.kafka.bus import FOLLOW_S, MARKER_MS, Bus
from sixgate.clocks import wall_ms
from streams.gates.projection import Projection
from streams.kafka.reader import Reader

# The outcomes of a day may be many; a broker that answers nothing is noticed much earlier.
CATCH_UP_S_MAX = 600


class Accounts:
    """Reads the outcomes of a day once, and only new ones after that; any thread may call."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._projection = Projection(bus.registry)
        self._opening = threading.Lock()
        self._reading = asyncio.Lock()
        self._reader: Reader | None = None

    def account(self, name: str) -> Account:
        """Return an account as of the last ``refresh``."""
        if self._reader is None:
            self.refresh()
        return self._projection.account(name)

    def refresh(self) -> None:
        """Read the outcomes that are committed now; raises ``KafkaBusError``."""
        self._bus.run(self._read(self._opened()), CATCH_UP_S_MAX)

    def follow(self) -> None:
        """Read the outcomes that are committed now, and later ones in the background."""
        self.refresh()
        self._bus.start(self._follow())

    def _opened(self) -> Reader:
        with self._opening:
            if self._reader is None:
                partitions = self._bus.partition_ids(Topic.OUTCOMES)
                since = self._bus.first_offsets(partitions, wall_ms() - SPENT_MS)
                self._reader = self._bus.open_reader(since).reader
            return self._reader

    async def _follow(self) -> None:
        while self._reader:
            await asyncio.sleep(FOLLOW_S)
            await self._read(self._reader)

    async def _read(self, reader: Reader) -> None:
        async with self._reading:
            async for page in reader.read_to_end(MARKER_MS):
                await self._apply(page)

    async def _apply(self, page: Sequence[Record]) -> None:
        proven = [self._projection.apply(record.value) for record in page]
        if not all(proven):
            await self._bus.refresh_on_loop()  # the signer may have been registered since
            for record in page[proven.index(False) :]:
                self._projection.apply(record.value)
