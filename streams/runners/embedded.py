"""The whole pipeline in one process: from the inbox through all gates to signed outcomes.

One batch:

1. Read a bounded number of submitted records, then of key requests, then of registry records, and
   apply them the other way round: whatever was registered before an intent is known when the intent
   is judged. Behind a topic that is not yet read to its end the later ones wait for the next batch.
2. Lead the intents through the gates, simulate, open keys: outside any transaction.
3. Commit the trail, the pinned outcomes, state and positions. If we die before, the batch is
   read again; if we die after, ``recover`` finishes what was pinned.
4. Sign, then commit the outcomes. If we die before, ``recover`` makes the same bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from schemas.record import Outgoing, Record
from schemas.topics import Topic
from signer.stage import Arrival, Batch, SigningStage
from signer.state import StateRolledBack
from streams.gates import cascade
from streams.gates.passage import World
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from streams.runners.clock import SteadyClock
from streams.runners.operations import Operations

RECORDS_PER_PARTITION_MAX = 128
OnCommit: TypeAlias = Callable[[Sequence[Outgoing]], None]
Positions: TypeAlias = dict[str, int]


class Taken(NamedTuple):
    """The next records of one topic, the positions behind them, and whether more may follow."""

    records: list[Record]
    positions: Positions
    to_the_end: bool


NOTHING = Taken([], {}, to_the_end=False)


@dataclass(slots=True)
class EmbeddedRunner:
    """Owns the pipeline's write side; all methods belong to one thread."""

    inbox: SqliteLog
    pipeline: PipelineLog
    stage: SigningStage
    operations: Operations
    clock: SteadyClock
    simulate: cascade.Simulate
    on_commit: OnCommit

    def load(self) -> None:
        """Load what earlier lives left and prove that nothing went back.

        Raises ``StateRolledBack``, ``StateDamaged``, ``LogError``.
        """
        slot = self.stage.memory.slot
        self._check_positions(slot.positions)
        registry_end = slot.positions.get(_place(Topic.REGISTRY, 0), 0)
        self.operations.load(self.inbox, self.pipeline, registry_end, slot)
        self.clock.last_ms = slot.last_ms

    def recover(self) -> None:
        """Sign and publish the outcomes that an earlier life pinned; raises as ``step`` does."""
        now_ms = self.clock.now_ms()
        recovered = self.stage.recover(now_ms)
        if recovered.pinned:
            self._commit([], now_ms, self.stage.memory.slot.positions)
            self._publish(recovered, now_ms)

    def step(self) -> int:
        """Process one batch; return how many records it read.

        Raises ``ClockHalted``, ``StateDamaged``, ``LogError``, ``StageHalted``: the runner is
        spent then, and a new one goes on from what is committed.
        """
        now_ms = self.clock.now_ms()
        registry, requests, submitted = taken = self._next()
        if not any(one.records for one in taken):
            self.operations.keychain.close_expired()
            return 0
        events = [e for r in registry.records for e in self.operations.register(r, now_ms)]
        events += [e for r in requests.records for e in self.operations.provision(r, now_ms)]
        batch = self._judge(submitted.records, now_ms, events)
        positions = dict(self.stage.memory.slot.positions)
        for one in taken:
            positions |= one.positions
        self._commit(events + batch.events, now_ms, positions)
        self._publish(batch, now_ms)
        return sum(len(one.records) for one in taken)

    def _next(self) -> tuple[Taken, Taken, Taken]:
        """Read the next registry records, key requests and intents, as far as their order allows.

        An intent may rely on a key and a key on the registry, so each is read before what it may
        rely on: what is appended in between is then seen by the later read, not missed.
        """
        submitted = self._take(Topic.SUBMITTED)
        requests = self._take(Topic.KEY_REQUESTS)
        registry = self._take(Topic.REGISTRY)
        if not registry.to_the_end:
            return registry, NOTHING, NOTHING
        return registry, requests, submitted if requests.to_the_end else NOTHING

    def _judge(self, submitted: Sequence[Record], now_ms: int, events: list[Outgoing]) -> Batch:
        stage = self.stage
        world = World(stage.registry, stage.keys, stage.memory.account)
        led = cascade.run(submitted, world, now_ms, self.simulate)
        events += led.events
        arrivals = [Arrival(passage.source, passage.clearance) for passage in led.decided]
        return stage.allocate(arrivals, now_ms)

    def _commit(self, events: Sequence[Outgoing], now_ms: int, positions: Positions) -> None:
        memory = self.stage.memory
        update = {
            "positions": positions,
            "registry_sequence": self.stage.registry.sequence,
            "key_count": len(self.stage.keys.by_path),
            "last_ms": max(now_ms, memory.slot.last_ms),
        }
        slot = memory.slot.model_copy(update=update)
        self.pipeline.commit(events, memory.drain(slot), now_ms)
        self.on_commit(events)

    def _publish(self, batch: Batch, now_ms: int) -> None:
        events = self.stage.sign(batch)
        if events:
            self.pipeline.commit(events, self.stage.memory.drain(), now_ms)
            self.on_commit(events)

    def _take(self, topic: Topic) -> Taken:
        """Read a topic's next records, the same number of every partition at most."""
        records: list[Record] = []
        positions: Positions = {}
        to_the_end = True
        for partition in range(self.inbox.partitions_of(topic)):
            place = _place(topic, partition)
            offset = self.stage.memory.slot.positions.get(place, 0)
            found = self.inbox.read(topic, partition, offset, RECORDS_PER_PARTITION_MAX)
            if found:
                positions[place] = found[-1].offset + 1
            read_to = positions.get(place, offset)
            to_the_end = to_the_end and read_to >= self.inbox.end(topic, partition)
            records += found
        return Taken(records, positions, to_the_end)

    def _check_positions(self, positions: Positions) -> None:
        for place, position in positions.items():
            topic, partition = place.rsplit("/", 1)
            if position > self.inbox.end(Topic(topic), int(partition)):
                raise StateRolledBack(
                    f"inbox.db ends before what the signer read of {topic}: restore a newer copy"
                )


def _place(topic: Topic, partition: int) -> str:
    return f"{topic}/{partition}"
