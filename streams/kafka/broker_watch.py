"""Broker watch: asks the brokers for metadata every second, and knows when they were lost.

Other clients cannot tell: a reader of lost brokers gets no records, as from an idle topic, and goes
on when they return.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from schemas.topics import Topic
from streams.kafka.broker import Broker

ASK_S = 1.0
NODE_MS_MAX = 2_000  # a frozen node delays the question to the next one by this time
# Longest time without an answer: of a frozen node, then another one, with a second to spare.
ANSWERED_S_MAX = 4.0
OnChange = Callable[[bool], None]


class BrokerWatch:
    """Whether a broker answered in the last ``ANSWERED_S_MAX``."""

    def __init__(self, broker: Broker, on_change: OnChange) -> None:
        """``on_change`` gets False when the brokers are lost, and True when one answers again."""
        self._broker = broker
        self._on_change = on_change
        self._answered_s = float("-inf")
        self._is_bootstrapped = False
        self._was_lost = False

    def is_answered(self) -> bool:
        """Return whether the brokers are there; any thread may call."""
        return monotonic() - self._answered_s < ANSWERED_S_MAX

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Ask until the block ends."""
        asking = asyncio.create_task(self._ask_often())
        try:
            yield
        finally:
            asking.cancel()
            await asyncio.wait([asking])

    async def _ask_often(self) -> None:
        client = self._broker.metadata_client(NODE_MS_MAX)
        client.set_topics([self._broker.names.of(Topic.REGISTRY)])  # without one it asks for all
        try:
            while True:
                self._take(answered=await self._ask(client))
                await asyncio.sleep(ASK_S)
        finally:
            await client.close()

    async def _ask(self, client: AIOKafkaClient) -> bool:
        try:
            if not self._is_bootstrapped:
                await client.bootstrap()
                self._is_bootstrapped = True
            return bool(await client.force_metadata_update())
        except (KafkaError, OSError, TimeoutError):
            return False

    def _take(self, *, answered: bool) -> None:
        if answered:
            self._answered_s = monotonic()
        if self._was_lost == self.is_answered():
            self._was_lost = not self._was_lost
            self._on_change(not self._was_lost)
