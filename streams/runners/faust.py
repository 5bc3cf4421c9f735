"""The gates on Kafka: one Faust agent per topic; any number of processes share the partitions.

One batch of a gate:

1. Take the delivered records, except those that this process pipelined (step 2 of an earlier gate):
   their work is done, so they are acknowledged immediately.
2. Judge the batch, and pipeline it: run the next gates too, if their partitions are this process's
   own and nothing waits there. Six hops then cost one. Every gate's record is written anyway.
3. Send all records and await all acknowledgements.
4. Acknowledge the batch in order.
   *If the process ends before step 4, the batch is judged and sent again, including records that
   were pipelined and acknowledged meanwhile. Downstream readers recognise a repeated record by its
   event id.*
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from schemas.intents.reasons import Gate
from schemas.record import Outgoing, Record
from schemas.topics import Topic
from streams.clearances import ClearanceCache
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
    """Judges batches of records and sends the results; ``on_sent`` receives what was sent.

    ``now_ms`` returns the time once registry and clock are proven fresh, or raises.
    """

    def __init__(
        self,
        projections: Projections,
        sender: Sender,
        simulate: Simulate,
        now_ms: Callable[[], Awaitable[int]],
        on_sent: OnSent,
        in_flight: InFlight,
    ) -> None:
        self._projections = projections
        self._sender = sender
        self._simulate = simulate
        self._now_ms = now_ms
        self._on_sent = on_sent
        self._in_flight = in_flight
        self._cache = ClearanceCache()

    async def process(self, gate: RuleGate, records: Sequence[Record]) -> None:
        """Judge records and return once all results are acknowledged by Kafka (steps 1 to 3)."""
        # 1. A fingerprint counts once, so a copy that another process appends is judged.
        found = [(_fingerprint(one), one) for one in records]
        waiting = [(name, one) for name, one in found if not self._in_flight.was_pipelined(name)]
        if waiting:
            # 2. If the process ends here, nothing was sent.
            results = await self._judge_with_newest_registry(gate, [one for _, one in waiting])
            # Noted before sending: the records may be delivered before ``send`` returns.
            self._in_flight.note_sending(one for one in results if one.event.topic in GATE_OF)
            events = [one.event for one in results]
            # 3. If the process ends here, any of the records may be on its topic. All are sent
            # again.
            await self._sender.send(events)
            self._on_sent(events)
        for name, _ in waiting:
            self._in_flight.note_answered(name)

    async def _judge_with_newest_registry(
        self, gate: RuleGate, records: Sequence[Record]
    ) -> list[Sent]:
        """Judge records; judge them again with a newer registry if one would end unattributed.

        Such a record may depend on a registration that this process has not read yet.
        """
        before = self._projections.counts
        results = await self._judge(gate, records)
        if any(one.event.topic in ENDS for one in results):
            await self._projections.refresh()
            if self._projections.counts != before:  # by refresh or by the background task
                results = await self._judge(gate, records)
        return results

    async def _judge(self, gate: RuleGate, records: Sequence[Record]) -> list[Sent]:
        view, now_ms = self._projections.view, await self._now_ms()
        entered = [enter(gate, record, view, now_ms, self._cache) for record in records]
        if gate.gate is Gate.SIMULATION:
            entered = await self._simulated(entered)
        return run_batch(gate, entered, view, self._cache, self._in_flight)

    async def _simulated(self, entered: Sequence[Entered]) -> list[Entered]:
        waiting = waiting_for_simulation(entered)
        reports = await asyncio.to_thread(self._simulate, waiting) if waiting else ()
        reported = {
            passage.source: passage.with_report(report, self._projections.view)
            for passage, report in zip(waiting, reports, strict=True)
        }
        return [reported.get(p.source, p) if isinstance(p, Passage) else p for p in entered]


def add_gates(app: GatesApp, runner: GateRunner, end_process: EndProcess) -> None:
    """Add one agent per gate to the app."""
    for reads, gate in GATE_OF.items():
        add_agent(
            app, app.names.of(reads), gate.gate.value, _work(gate, runner, app.names), end_process
        )


def _work(gate: RuleGate, runner: GateRunner, names: Names) -> Work:
    async def work(messages: Sequence[Message]) -> None:
        await runner.process(gate, [_record(message, names) for message in messages])

    return work


def _fingerprint(record: Record) -> Fingerprint:
    return fingerprint_of((record.topic, record.partition), record.key, record.value)


def _record(message: Message, names: Names) -> Record:
    """Return a message as a record; gates do not use its timestamp, so it is 0."""
    key = decoded_key(message.key)
    topic = names.topic(message.topic)
    return Record(topic, message.partition, message.offset, key, message.value or b"", 0)
