"""The gates on Kafka: one Faust agent per topic, all in one process, as many processes as wanted.

One batch of a gate: 1. take what is ready; 2. judge it; 3. send every record and await every
answer; 4. ack in order. If we die before 4 the batch is judged again, and everything downstream
knows a record by its event's id. Faust acks what an agent raised on and logs a stall, so whatever
fails here ends the process at once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias, cast

from faust import Stream
from faust.types import StreamT

from schemas.clearance import Gate
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from streams.gates.passage import Passage, RuleGate
from streams.gates.stages import GATE_OF, Entered, Simulate, enter, leave, waiting_for_simulation
from streams.kafka.producer import Sender
from streams.kafka.projections import Projections
from streams.kafka.records import decoded_key
from streams.runners.faust_app import GatesApp

BATCH_COUNT_MAX = 200
ENDS = (Topic.UNATTRIBUTED, Topic.AUDIT)
Agent: TypeAlias = Callable[[StreamT[Any]], Awaitable[None]]
OnSent: TypeAlias = Callable[[Sequence[Outgoing]], None]
EndProcess: TypeAlias = Callable[[BaseException], NoReturn]


class GateLine:
    """Judges batches of records and sends what comes of them; ``on_sent`` hears what was sent."""

    def __init__(
        self,
        known: Projections,
        sender: Sender,
        simulate: Simulate,
        now_ms: Callable[[], int],
        on_sent: OnSent,
    ) -> None:
        self._known = known
        self._sender = sender
        self._simulate = simulate
        self._now_ms = now_ms
        self._on_sent = on_sent

    async def pass_on(self, gate: RuleGate, records: Sequence[Record]) -> None:
        """Judge records and return once everything that came of them is on its topic.

        What seems to be nobody's may rely on a registration that was not read yet.
        """
        before = self._known.known
        judged = await self._judge(gate, records)
        if any(event.topic in ENDS for event in judged):
            await self._known.refresh()
            if self._known.known != before:  # read just now, or by whoever follows it meanwhile
                judged = await self._judge(gate, records)
        await self._sender.send(judged)
        self._on_sent(judged)

    async def _judge(self, gate: RuleGate, records: Sequence[Record]) -> list[Outgoing]:
        world, now_ms = self._known.world, self._now_ms()
        entered = [enter(gate, record, world, now_ms) for record in records]
        if gate.gate is Gate.SIMULATION:
            entered = await self._simulated(entered)
        return [leave(gate, one, world) for one in entered]

    async def _simulated(self, entered: Sequence[Entered]) -> list[Entered]:
        waiting = waiting_for_simulation(entered)
        reports = await asyncio.to_thread(self._simulate, waiting) if waiting else ()
        reported = {
            passage.source: passage.with_report(report, self._known.world)
            for passage, report in zip(waiting, reports, strict=True)
        }
        return [reported.get(p.source, p) if isinstance(p, Passage) else p for p in entered]


def add_gates(app: GatesApp, line: GateLine, end_process: EndProcess) -> None:
    """Give the app one agent for each gate."""
    for reads, gate in GATE_OF.items():
        topic = app.topic(
            reads.value,
            value_type=bytes,
            value_serializer="raw",
            key_type=bytes,
            key_serializer="raw",
        )
        app.agent(topic, name=gate.gate.value, concurrency=1)(_agent(gate, line, end_process))


def _agent(gate: RuleGate, line: GateLine, end_process: EndProcess) -> Agent:
    async def work(stream: StreamT[Any]) -> None:
        try:
            manual = cast(Stream[Any], stream).noack()
            async for events in _batches(manual):
                await line.pass_on(gate, [_record(event) for event in events])
                for event in events:
                    await cast(Stream[Any], manual).ack(event)
        except Exception as error:  # noqa: BLE001 - Faust would ack and go on
            end_process(error)

    return work


async def _batches(stream: StreamT[Any]) -> AsyncIterator[list[Any]]:
    """Yield what is ready, at least one event, without waiting for more."""
    ready: asyncio.Queue[Any] = asyncio.Queue(BATCH_COUNT_MAX)
    feeding = asyncio.create_task(_feed(stream, ready))
    try:
        while first := await ready.get():
            yield [first, *_waiting(ready)]
        feeding.result()
    finally:
        feeding.cancel()


def _waiting(ready: "asyncio.Queue[Any]") -> Iterator[Any]:
    while not ready.empty():
        event = ready.get_nowait()
        if event is None:  # the end: for the next look
            ready.put_nowait(None)
            return
        yield event


async def _feed(stream: StreamT[Any], ready: "asyncio.Queue[Any]") -> None:
    try:
        async for event in stream.events():
            await ready.put(event)
    finally:
        await ready.put(None)


def _record(event: Any) -> Record:
    """Return what the event carries; its time decides nothing."""
    message = event.message
    key = decoded_key(message.key)
    return Record(
        Topic(message.topic), message.partition, message.offset, key, message.value or b"", 0
    )
