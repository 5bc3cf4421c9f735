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

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from schemas.record import REGISTRY_PARTITION, Outgoing, Record
from schemas.topics import Topic
from signer.stage import Arrival, SigningStage
from signer.state import StateIntegrityError, StateRollbackError
from streams.gates import cascade
from streams.gates.passage import GateProjections
from streams.gates.stages import Simulate
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from streams.runners.clock import SteadyClock
from streams.runners.slot import Commit, Slot, position_name

RECORDS_PER_PARTITION_MAX = 128
OnCommit: TypeAlias = Callable[[Sequence[Outgoing]], None]
Positions: TypeAlias = dict[str, int]


class ReadBatch(NamedTuple):
    """The next records of one topic, the positions behind them, and whether more may follow."""

    records: list[Record]
    positions: Positions
    to_the_end: bool


NOTHING = ReadBatch([], {}, to_the_end=False)


@dataclass(slots=True)
class EmbeddedRunner:
    """Owns the pipeline's write side; all methods belong to one thread."""

    inbox: SqliteLog
    pipeline: PipelineLog
    slot: Slot
    clock: SteadyClock
    simulate: Simulate
    on_commit: OnCommit

    @property
    def stage(self) -> SigningStage:
        """The sixth gate and what it remembers."""
        return self.slot.stage

    def load(self) -> None:
        """Load what earlier lives left and prove that nothing went back.

        Raises ``StateRollbackError``, ``StateIntegrityError``, ``LogError``.
        """
        seen = self.stage.memory.slot
        self._check_positions(seen.positions)
        registry_end = seen.positions.get(position_name(REGISTRY_PARTITION), 0)
        registry = self.inbox.scan(Topic.REGISTRY, 0, registry_end)
        vault = (
            record
            for partition in range(self.pipeline.partitions)
            for record in self.pipeline.scan(Topic.VAULT, partition)
        )
        self.slot.operations.load(registry, vault, seen)
        if self.stage.registry.sequence and self.stage.registry.partitions != self.inbox.partitions:
            raise StateIntegrityError(
                "trust.json names other partitions than the registry: restore it"
            )
        self.clock.last_ms = seen.last_ms

    def recover(self) -> None:
        """Sign and publish the outcomes that an earlier life pinned; raises as ``step`` does.

        The registry is read to its end before: it may say that this signer signs no more.
        """
        now_ms = self.clock.now_ms()
        while (registry := self._take(Topic.REGISTRY)).records:
            trail = self.slot.register(registry.records, now_ms)
            self._commit_all(self.slot.judge([], trail, now_ms, registry.positions), now_ms)
        self._commit_all(self.slot.recover(), now_ms)

    def step(self) -> int:
        """Process one batch; return how many records it read, or without any did of other work.

        Raises ``ClockError``, ``StateIntegrityError``, ``LogError``, ``HaltError``: the runner is
        spent then, and a new one goes on from what is committed.
        """
        now_ms = self.clock.now_ms()
        registry, requests, submitted = taken = self._next()
        if not any(one.records for one in taken):
            self.slot.operations.check_registered(self.stage.registry)
            self.slot.operations.keychain.close_expired()
            return self._do_chores(now_ms)
        trail = self.slot.administer(registry.records, requests.records, now_ms)
        led = self._lead(submitted.records, now_ms)
        arrivals = [Arrival(passage.source, passage.clearance) for passage in led.decided]
        read = registry.positions | requests.positions | submitted.positions
        commits = self.slot.judge(arrivals, trail + led.events, now_ms, read)
        self._commit_all(commits, now_ms)
        return sum(len(one.records) for one in taken)

    def publish(self, events: Sequence[Outgoing]) -> None:
        """Append what is no part of a batch, durable on return; raises ``LogError``."""
        self._commit_all([Commit(events, [])], self.clock.now_ms())

    def _do_chores(self, now_ms: int) -> int:
        """Do what waited for a quiet moment; return how many commits came of it."""
        commits = 0
        for commit in self.slot.idle(now_ms):
            self._commit_all([commit], now_ms)
            commits += 1
        return commits

    def _next(self) -> tuple[ReadBatch, ReadBatch, ReadBatch]:
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

    def _lead(self, submitted: Sequence[Record], now_ms: int) -> cascade.Cascade:
        stage = self.stage
        world = GateProjections(stage.registry, stage.keys, stage.memory.account)
        return cascade.run(submitted, world, now_ms, self.simulate)

    def _commit_all(self, commits: Iterable[Commit], now_ms: int) -> None:
        for events, writes in commits:
            self.pipeline.commit(events, writes, now_ms)
            self.on_commit(events)

    def _take(self, topic: Topic) -> ReadBatch:
        """Read a topic's next records, the same number of every partition at most."""
        records: list[Record] = []
        positions: Positions = {}
        to_the_end = True
        for partition in range(self.inbox.partitions_of(topic)):
            place = position_name((topic, partition))
            offset = self.stage.memory.slot.positions.get(place, 0)
            found = self.inbox.read(topic, partition, offset, RECORDS_PER_PARTITION_MAX)
            if found:
                positions[place] = found[-1].offset + 1
            read_to = positions.get(place, offset)
            to_the_end = to_the_end and read_to >= self.inbox.end(topic, partition)
            records += found
        return ReadBatch(records, positions, to_the_end)

    def _check_positions(self, positions: Positions) -> None:
        for place, position in positions.items():
            topic, partition = place.rsplit("/", 1)
            if position > self.inbox.end(Topic(topic), int(partition)):
                raise StateRollbackError(
                    f"inbox.db ends before what the signer read of {topic}: restore a newer copy"
                )
