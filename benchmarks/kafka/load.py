"""Load client: sends records at a rate or in a burst, and measures when each one comes out."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import NamedTuple, Self

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.kafka.relay import HOPS, topic_of
from schemas.dsse import Envelope
from schemas.intents.intent import intent_digest
from schemas.partition import partition_of
from schemas.record import Outgoing
from streams.kafka.broker import Broker

SETTLE_S_MAX = 180
CLOCK_S = 0.001  # the broker's times are whole milliseconds


class Route(NamedTuple):
    """Input and output topic, and how to match a sent record with its result.

    ``name_in`` returns the name of a sent value, ``name_out`` that of a received one.
    """

    topic_in: str
    topic_out: str
    name_in: Callable[[bytes], object]
    name_out: Callable[[bytes], object]


def intent_of_envelope(value: bytes) -> str:
    return intent_digest(Envelope.decode(value).body())


def intent_of_event(value: bytes) -> str:
    return str(orjson.loads(value)["intent"])


OURS = Route("intents.submitted", "transactions.signed", intent_of_envelope, intent_of_event)
DECIDED = OURS._replace(topic_out="intents.decided")
RELAY = Route(topic_of(0), topic_of(HOPS), bytes, bytes)
GATES_RELAY = RELAY._replace(topic_out=topic_of(HOPS - 1))
WORKING_RELAY = RELAY._replace(name_in=intent_of_envelope, name_out=intent_of_event)


class Timing(NamedTuple):
    """When a record was sent and when its result was seen, in seconds of one clock."""

    sent_s: float
    seen_s: float


class LoadClient:
    """A producer at the start of a route and a consumer at its end; use it in ``async with``."""

    def __init__(self, broker: Broker, route: Route, partitions: int) -> None:
        self._broker = broker
        self._route = route
        self._partitions = partitions
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> Self:
        producer, consumer = self._broker.producer(), self._broker.consumer()
        self._producer: AIOKafkaProducer = await self._opened.enter_async_context(producer)
        self._consumer: AIOKafkaConsumer = await self._opened.enter_async_context(consumer)
        topic = self._route.topic_out
        places = [TopicPartition(topic, n) for n in range(self._partitions)]
        await self._consumer._client.set_topics([topic])  # noqa: SLF001 - no public way to wait
        self._consumer.assign(places)
        for place, end in (await self._consumer.end_offsets(places)).items():
            self._consumer.seek(place, end)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def paced(self, records: Sequence[Outgoing], per_s: float) -> list[Timing]:
        """Send records at an even rate; return the timings in the order of the results."""
        sent: dict[object, float] = {}
        names = [self._route.name_in(record.value) for record in records]
        watching = asyncio.create_task(self._watch(sent, len(records)))
        start = time.perf_counter()
        for number, (name, record) in enumerate(zip(names, records, strict=True)):
            await asyncio.sleep(max(0.0, start + number / per_s - time.perf_counter()))
            sent[name] = time.perf_counter()
            await self._send(record)
        return await watching

    async def burst(self, records: Sequence[Outgoing]) -> list[float]:
        """Send records as fast as possible; return the results' broker timestamps, in seconds."""
        seen: list[float] = []
        for record in records:
            await self._send(record)
        await self._producer.flush()
        async with asyncio.timeout(SETTLE_S_MAX):
            while len(seen) < len(records):
                await asyncio.sleep(0.2)  # polling more often would use CPU that is measured
                found = await self._consumer.getmany()
                seen += [m.timestamp / 1000 for messages in found.values() for m in messages]
        return sorted(seen)

    async def _send(self, record: Outgoing) -> None:
        at = partition_of(record.key, self._partitions)
        await self._producer.send(self._route.topic_in, record.value, record.key.encode(), at)

    async def _watch(self, sent: dict[object, float], count: int) -> list[Timing]:
        timings: list[Timing] = []
        async with asyncio.timeout(SETTLE_S_MAX):
            while len(timings) < count:
                found = await self._consumer.getmany(timeout_ms=1_000)
                now_s = time.perf_counter()
                names = [self._route.name_out(m.value) for ms in found.values() for m in ms]
                timings += [Timing(sent[name], now_s) for name in names if name in sent]
        return timings


def rate_per_s(seen_s: Sequence[float]) -> float:
    """Return the rate without the first and last tenth, when all processes are busy."""
    tenth = len(seen_s) // 10
    return (len(seen_s) - 2 * tenth) / max(CLOCK_S, seen_s[-tenth - 1] - seen_s[tenth])
