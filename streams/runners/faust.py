"""The gates on Kafka: one Faust agent per topic, all in one process, as many processes as wanted.

One batch of a gate:

1. Take what is ready, without what was led on by 2 of an earlier gate: that is acked at once.
2. Judge it, and lead it on through the gates behind that are this process's too, where nothing
   waits before them: six hops then cost one. Every gate's record is written all the same.
3. Send every record and await every answer.
4. Ack in order. If we die before, the batch is judged again, whatever of it was led on and acked
   meanwhile; everything downstream knows a record by its event's id.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from schemas.clearance import Gate
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from streams.gates.clearance_cache import ClearanceCache
from streams.gates.passage import Passage, RuleGate
from streams.gates.pipelining import Fingerprint, InFlight, Sent, fingerprint_of, run_batch
from streams.gates.stages import GATE_OF, Entered, Simulate, enter, waiting_for_simulation
from streams.kafka.names import Names
from streams.kafka.producer import Sender
from streams.kafka.projections import Projections
from streams.kafka.records import decoded_key
from streams.runners.faust_agent import EndProcess, Message, Work, add_agent
from streams.runners.faust_app import GatesApp

ENDS = (Topic.UNATTRIBUTED, Topic.AUDIT)
OnSent: TypeAlias = Callable[[Sequence[Outgoing]], None]


class GateRunner:
    """Judges batches of records and sends what comes of them; ``on_sent`` hears what was sent.

    ``now_ms`` gives the time once it is to be believed, or raises.
    """

    def __init__(
        self,
        known: Projections,
        sender: Sender,
        simulate: Simulate,
        now_ms: Callable[[], Awaitable[int]],
        on_sent: OnSent,
        ahead: InFlight,
    ) -> None:
        self._known = known
        self._sender = sender
        self._simulate = simulate
        self._now_ms = now_ms
        self._on_sent = on_sent
        self._ahead = ahead
        self._underway = ClearanceCache()

    async def process(self, gate: RuleGate, records: Sequence[Record]) -> None:
        """Judge records and return once everything that came of them is on its topic.

        What seems to be nobody's may rely on a registration that was not read yet.
        """
        found = [(_fingerprint(one), one) for one in records]
        waiting = [(known, one) for known, one in found if not self._ahead.was_pipelined(known)]
        if waiting:
            led = await self._led(gate, [one for _, one in waiting])
            self._ahead.sent(one for one in led if one.event.topic in GATE_OF)
            judged = [one.event for one in led]
            await self._sender.send(judged)
            self._on_sent(judged)
        for known, _ in waiting:
            self._ahead.done(known)

    async def _led(self, gate: RuleGate, records: Sequence[Record]) -> list[Sent]:
        before = self._known.known
        led = await self._judge(gate, records)
        if any(one.event.topic in ENDS for one in led):
            await self._known.refresh()
            if self._known.known != before:  # read just now, or by whoever follows it meanwhile
                led = await self._judge(gate, records)
        return led

    async def _judge(self, gate: RuleGate, records: Sequence[Record]) -> list[Sent]:
        view, now_ms = self._known.view, await self._now_ms()
        entered = [enter(gate, record, view, now_ms, self._underway) for record in records]
        if gate.gate is Gate.SIMULATION:
            entered = await self._simulated(entered)
        return run_batch(gate, entered, view, self._underway, self._ahead)

    async def _simulated(self, entered: Sequence[Entered]) -> list[Entered]:
        waiting = waiting_for_simulation(entered)
        reports = await asyncio.to_thread(self._simulate, waiting) if waiting else ()
        reported = {
            passage.source: passage.with_report(report, self._known.view)
            for passage, report in zip(waiting, reports, strict=True)
        }
        return [reported.get(p.source, p) if isinstance(p, Passage) else p for p in entered]


def add_gates(app: GatesApp, line: GateRunner, end_process: EndProcess) -> None:
    """Give the app one agent for each gate."""
    for reads, gate in GATE_OF.items():
        add_agent(
            app, app.names.of(reads), gate.gate.value, _work(gate, line, app.names), end_process
        )


def _work(gate: RuleGate, line: GateRunner, names: Names) -> Work:
    async def work(messages: Sequence[Message]) -> None:
        await line.process(gate, [_record(message, names) for message in messages])

    return work


def _fingerprint(record: Record) -> Fingerprint:
    return fingerprint_of((record.topic, record.partition), record.key, record.value)


def _record(message: Message, names: Names) -> Record:
    """Return what a message carries; its time decides nothing."""
    key = decoded_key(message.key)
    topic = names.topic(message.topic)
    return Record(topic, message.partition, message.offset, key, message.value or b"", 0)
