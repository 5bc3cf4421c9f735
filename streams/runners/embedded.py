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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from schemas.record import REGISTRY_PARTITION, Outgoing, Record
from schemas.topics import Topic
from signer.stage.batch import Intents, ReadRecords, next_positions, pin_batch, position_name
from signer.stage.slot import Commit, Slot
from signer.stage.stage import Arrival
from signer.stage.state import StateIntegrityError, StateRollbackError
from streams.gates import cascade
from streams.gates.passage import GateProjections
from streams.gates.stages import Simulate
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from streams.runners.clock import SteadyClock

RECORDS_PER_PARTITION_MAX = 128
OnCommit: TypeAlias = Callable[[Sequence[Outgoing]], None]


@dataclass(slots=True)
class EmbeddedRunner:
    """Owns the write side of the pipeline; call all methods from one thread."""

    inbox: SqliteLog
    pipeline: PipelineLog
    slot: Slot
    clock: SteadyClock
    simulate: Simulate
    on_commit: OnCommit

    def load(self) -> None:
        """Load the committed state of earlier boots and check that nothing was rolled back.

        Raises ``StateRollbackError``, ``StateIntegrityError``, ``LogError``.
        """
        # The state has a MAC; registry, vault and inbox must match what it has seen.
        seen = self.slot.state
        self._check_positions(seen.positions)
        registry_end = seen.positions.get(position_name(REGISTRY_PARTITION), 0)
        registry = self.inbox.scan(Topic.REGISTRY, 0, registry_end)
        vault = (
            record
            for partition in range(self.pipeline.partitions)
            for record in self.pipeline.scan(Topic.VAULT, partition)
        )
        self.slot.load(registry, vault)
        loaded = self.slot.registry
        if loaded.record_count and loaded.partitions != self.inbox.partitions:
            raise StateIntegrityError(
                f"trust.json has {self.inbox.partitions} partitions, but the registry has "
                f"{loaded.partitions}: restore trust.json from a good copy"
            )
        self.clock.last_ms = seen.last_ms

    def recover(self) -> None:
        """Sign and publish the outcomes that earlier boots pinned; raises as ``step`` does."""
        now_ms = self.clock.now_ms()
        # The whole registry first: if an admin revoked this signer's key while it was down, its
        # signature on a pinned outcome is worthless, and ``Slot.recover`` halts.
        while registry := self._take(Topic.REGISTRY)[0]:
            trail = self.slot.register(registry, now_ms)
            positions = next_positions(registry)
            self._commit_all(self.slot.judge([], trail, now_ms, positions), now_ms)
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
        read = self._next()
        if not any(read):
            self.slot.check_registered()
            return self._maintain(now_ms)
        self._commit_all(self._decide(read), now_ms)
        return sum(map(len, read))

    def publish(self, events: Sequence[Outgoing]) -> None:
        """Append events outside a batch, durable on return; raises ``LogError``."""
        self._commit_all([Commit(events, [])], self.clock.now_ms())

    def _decide(self, read: ReadRecords) -> Iterator[Commit]:
        # 2. If the process ends here, answers and verdicts exist in memory only.
        # 3. The next line runs once this commit is durable; from then on ``recover`` finishes it.
        yield pin_batch(self.slot, read, self._run_gates)
        # 4. If the process ends here, the signatures existed in memory only.
        yield from self.slot.finish()

    def _maintain(self, now_ms: int) -> int:
        """Do custody maintenance between batches; return the number of commits."""
        commits = 0
        for commit in self.slot.idle(now_ms):
            self._commit_all([commit], now_ms)
            commits += 1
        return commits

    def _next(self) -> ReadRecords:
        """Read the next registry records, key requests and intents, as far as their order allows.

        An intent depends on keys, and a key on the registry. Each topic is read before the ones it
        depends on, so a record that is appended in between is seen by the later read.
        """
        submitted, _ = self._take(Topic.SUBMITTED)
        requests, requests_to_the_end = self._take(Topic.KEY_REQUESTS)
        registry, registry_to_the_end = self._take(Topic.REGISTRY)
        if not registry_to_the_end:
            return ReadRecords(registry, [], [])
        return ReadRecords(registry, requests, submitted if requests_to_the_end else [])

    def _run_gates(self, submitted: Sequence[Record], now_ms: int) -> Intents:
        slot = self.slot
        view = GateProjections(slot.registry, slot.vault.keys.reference, slot.account)
        judged = cascade.run(submitted, view, now_ms, self.simulate)
        arrivals = [Arrival(passage.source, passage.clearance) for passage in judged.decided]
        return Intents(arrivals, judged.events)

    def _commit_all(self, commits: Iterable[Commit], now_ms: int) -> None:
        for events, writes in commits:
            # Durable (SQLite, synchronous = FULL) before the generator continues, that is, before
            # anything of this commit is signed.
            self.pipeline.commit(events, writes, now_ms)
            self.on_commit(events)

    def _take(self, topic: Topic) -> tuple[list[Record], bool]:
        """Return a topic's next records, and whether the topic ends with them.

        It reads at most ``RECORDS_PER_PARTITION_MAX`` per partition.
        """
        records: list[Record] = []
        to_the_end = True
        for partition in range(self.inbox.partitions_of(topic)):
            offset = self.slot.state.positions.get(position_name((topic, partition)), 0)
            found = self.inbox.read(topic, partition, offset, RECORDS_PER_PARTITION_MAX)
            read_to = found[-1].offset + 1 if found else offset
            to_the_end = to_the_end and read_to >= self.inbox.end(topic, partition)
            records += found
        return records, to_the_end

    def _check_positions(self, positions: Mapping[str, int]) -> None:
        for name, position in positions.items():
            topic, partition = name.rsplit("/", 1)
            if position > self.inbox.end(Topic(topic), int(partition)):
                raise StateRollbackError(
                    f"inbox.db ends at offset {self.inbox.end(Topic(topic), int(partition))} of "
                    f"{name}, but the signer read up to {position}: restore a newer copy"
                )
