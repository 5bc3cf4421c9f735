"""Embedded runner: the whole pipeline in one process, from the inbox to signed outcomes.

One batch:

1. Read a bounded number of intents, then key requests, then registry records, and apply them in
   the opposite order: the signer knows everything that was registered before an intent. While a
   topic is not read to its end, the topics that depend on it wait for the next batch.
2. Run the gates, simulate and open keys, outside any transaction.
   *If the process ends in 1 or 2, nothing was written; the batch is read again.*
3. Commit audit trail, pinned outcomes, state and positions in one SQLite transaction.
   *If the process ends before the commit, the batch is read again. If it ends after that,
   ``recover`` finishes it.*
4. Sign, then commit the outcomes.
   *If the process ends before that commit, ``recover`` makes the same bytes. If it ends after that,
   the batch is done.*
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from schemas.record import REGISTRY_PARTITION, Outgoing, Record
from schemas.topics import Topic
from signer.stage.slot import Commit, Slot, position_name
from signer.stage.stage import Arrival, SigningStage
from signer.stage.state import StateIntegrityError, StateRollbackError
from streams.gates import cascade
from streams.gates.passage import GateProjections
from streams.gates.stages import Simulate
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from streams.runners.clock import SteadyClock

RECORDS_PER_PARTITION_MAX = 128
OnCommit: TypeAlias = Callable[[Sequence[Outgoing]], None]
Positions: TypeAlias = dict[str, int]


class ReadBatch(NamedTuple):
    """The next records of one topic, the positions after them, and whether the topic ends there."""

    records: list[Record]
    positions: Positions
    to_the_end: bool


NOTHING = ReadBatch([], {}, to_the_end=False)


@dataclass(slots=True)
class EmbeddedRunner:
    """Owns the write side of the pipeline; call all methods from one thread."""

    inbox: SqliteLog
    pipeline: PipelineLog
    slot: Slot
    clock: SteadyClock
    simulate: Simulate
    on_commit: OnCommit

    @property
    def stage(self) -> SigningStage:
        """The signing stage with its memory."""
        return self.slot.stage

    def load(self) -> None:
        """Load the committed state of earlier boots and check that nothing was rolled back.

        Raises ``StateRollbackError``, ``StateIntegrityError``, ``LogError``.
        """
        # The state has a MAC; registry, vault and inbox must match what it has seen.
        seen = self.stage.memory.slot
        self._check_positions(seen.positions)
        registry_end = seen.positions.get(position_name(REGISTRY_PARTITION), 0)
        registry = self.inbox.scan(Topic.REGISTRY, 0, registry_end)
        vault = (
            record
            for partition in range(self.pipeline.partitions)
            for record in self.pipeline.scan(Topic.VAULT, partition)
        )
        self.slot.load(registry, vault)
        if (
            self.stage.registry.record_count
            and self.stage.registry.partitions != self.inbox.partitions
        ):
            raise StateIntegrityError(
                f"trust.json has {self.inbox.partitions} partitions, but the registry has "
                f"{self.stage.registry.partitions}: restore trust.json from a good copy"
            )
        self.clock.last_ms = seen.last_ms

    def recover(self) -> None:
        """Sign and publish the outcomes that earlier boots pinned; raises as ``step`` does."""
        now_ms = self.clock.now_ms()
        # The whole registry first: if an admin revoked this signer's key while it was down, its
        # signature on a pinned outcome is worthless, and ``Slot.recover`` halts.
        while (registry := self._take(Topic.REGISTRY)).records:
            trail = self.slot.register(registry.records, now_ms)
            self._commit_all(self.slot.judge([], trail, now_ms, registry.positions), now_ms)
        # Wherever the process ends in here, what is not committed as published is recovered by the
        # next start.
        self._commit_all(self.slot.recover(), now_ms)

    def step(self) -> int:
        """Process one batch; return the number of records read, or of maintenance commits.

        Raises ``ClockError``, ``StateIntegrityError``, ``LogError``, ``HaltError``. The runner is
        unusable then; a new one continues from the last commit.
        """
        now_ms = self.clock.now_ms()
        # 1. If the process ends here, positions are unchanged.
        registry, requests, submitted = batch = self._next()
        if not any(one.records for one in batch):
            self.slot.check_registered(self.stage.registry)
            self.slot.operations.keychain.close_expired()
            return self._maintain(now_ms)
        # 2. If the process ends here, answers and verdicts exist in memory only.
        trail = self.slot.administer(registry.records, requests.records, now_ms)
        judged = self._run_gates(submitted.records, now_ms)
        arrivals = [Arrival(passage.source, passage.clearance) for passage in judged.decided]
        read = registry.positions | requests.positions | submitted.positions
        # 3., 4. ``judge`` yields two commits; it signs only after the first one is durable.
        commits = self.slot.judge(arrivals, trail + judged.events, now_ms, read)
        self._commit_all(commits, now_ms)
        return sum(len(one.records) for one in batch)

    def publish(self, events: Sequence[Outgoing]) -> None:
        """Append events outside a batch, durable on return; raises ``LogError``."""
        self._commit_all([Commit(events, [])], self.clock.now_ms())

    def _maintain(self, now_ms: int) -> int:
        """Do custody maintenance between batches; return the number of commits."""
        commits = 0
        for commit in self.slot.idle(now_ms):
            self._commit_all([commit], now_ms)
            commits += 1
        return commits

    def _next(self) -> tuple[ReadBatch, ReadBatch, ReadBatch]:
        """Read the next registry records, key requests and intents, as far as their order allows.

        An intent depends on keys, and a key on the registry. Each topic is read before the ones it
        depends on, so a record that is appended in between is seen by the later read.
        """
        submitted = self._take(Topic.SUBMITTED)
        requests = self._take(Topic.KEY_REQUESTS)
        registry = self._take(Topic.REGISTRY)
        if not registry.to_the_end:
            return registry, NOTHING, NOTHING
        return registry, requests, submitted if requests.to_the_end else NOTHING

    def _run_gates(self, submitted: Sequence[Record], now_ms: int) -> cascade.Cascade:
        stage = self.stage
        view = GateProjections(stage.registry, stage.keys.reference, stage.memory.account)
        return cascade.run(submitted, view, now_ms, self.simulate)

    def _commit_all(self, commits: Iterable[Commit], now_ms: int) -> None:
        for events, writes in commits:
            # Durable (SQLite, synchronous = FULL) before the generator continues, that is, before
            # anything of this commit is signed.
            self.pipeline.commit(events, writes, now_ms)
            self.on_commit(events)

    def _take(self, topic: Topic) -> ReadBatch:
        """Read a topic's next records, at most ``RECORDS_PER_PARTITION_MAX`` per partition."""
        records: list[Record] = []
        positions: Positions = {}
        to_the_end = True
        for partition in range(self.inbox.partitions_of(topic)):
            name = position_name((topic, partition))
            offset = self.stage.memory.slot.positions.get(name, 0)
            found = self.inbox.read(topic, partition, offset, RECORDS_PER_PARTITION_MAX)
            if found:
                positions[name] = found[-1].offset + 1
            read_to = positions.get(name, offset)
            to_the_end = to_the_end and read_to >= self.inbox.end(topic, partition)
            records += found
        return ReadBatch(records, positions, to_the_end)

    def _check_positions(self, positions: Positions) -> None:
        for name, position in positions.items():
            topic, partition = name.rsplit("/", 1)
            if position > self.inbox.end(Topic(topic), int(partition)):
                raise StateRollbackError(
                    f"inbox.db ends at offset {self.inbox.end(Topic(topic), int(partition))} of "
                    f"{name}, but the signer read up to {position}: restore a newer copy"
                )
