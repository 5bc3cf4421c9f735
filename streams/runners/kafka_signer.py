"""One slot of the signer on Kafka.

1. Fence: the slot's transactional producer starts, and whoever held the slot before can write no
   more. If we die from here on, the next process does the same.
2. Read the slot's state to its end, then registry and keys as far as the state has seen them, and
   prove that none of them went back.
3. Finish what an earlier life pinned: the same bytes, whatever changed since.
4. Read a batch, then key requests, then the registry, each to its end: what was registered before
   an intent is known when the intent is judged.
5. Commit pinned outcomes, state and positions. If we die before, the batch is read again; if we
   die after, 3 finishes it.
6. Sign, and commit the outcomes. If we die before, 3 makes the same bytes.

Whatever fails ends the process: only a new start can tell what was written.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import NamedTuple, TypeAlias, TypeVar

from schemas.partition import SlotPlace
from schemas.record import Record
from schemas.topics import Topic
from signer.stage import Arrival
from streams.gates.reception import Received, Refused, receive
from streams.kafka.broker import Broker
from streams.kafka.producer import SlotProducer
from streams.kafka.reader import Place, Reader, Waiting, replay
from streams.kafka.state import StateTable, write_of
from streams.runners.clock import SteadyClock
from streams.runners.slot import Commit, Slot

BATCH_COUNT_MAX = 500
IDLE_MS = 200
REGISTRY: Place = (Topic.REGISTRY, 0)
Result = TypeVar("Result")
MakeSlot: TypeAlias = Callable[[StateTable], Slot]
AdmittedMs: TypeAlias = Mapping[str, int]
OnCommit: TypeAlias = Callable[[Commit, AdmittedMs], None]
NewestSequences: TypeAlias = Callable[[Sequence[str]], Mapping[str, int]]
Positions: TypeAlias = dict[str, int]


class Inputs(NamedTuple):
    """What a slot reads: intents that all gates have seen, and what operators sent."""

    decided: Reader
    requests: Reader
    registry: Reader


class Ports(NamedTuple):
    """What a slot asks and tells others.

    ``newest`` gives, of some accounts, the sequence of the newest outcome that the ledger holds;
    ``on_commit`` hears what became visible, and when each intent of the batch was admitted as far
    as its gate's verdict tells: that is advice. ``on_loaded`` hears that the slot is at work.
    """

    newest: NewestSequences
    on_commit: OnCommit
    on_loaded: Callable[[], None]


class KafkaSigner:
    """Runs one slot until it is told to stop, or something fails."""

    def __init__(
        self, broker: Broker, at: SlotPlace, make: MakeSlot, clock: SteadyClock, ports: Ports
    ) -> None:
        """``make`` builds the slot around its state."""
        self._broker = broker
        self._at = at
        self._make = make
        self._clock = clock
        self._ports = ports
        self._table = StateTable()
        self._decided: Reader | None = None
        self._proven: set[str] = set()
        self._admitted_ms: AdmittedMs = {}
        self._thread = ThreadPoolExecutor(1, f"slot-{at.number}")

    async def run(self, transactional_id: str, stop: asyncio.Event) -> None:
        """Decide and sign until ``stop`` is set.

        Raises ``KafkaFault``, ``StateDamaged``, ``ClockHalted``, ``StageHalted``: the process ends.
        """
        async with AsyncExitStack() as opened:
            opened.callback(self._thread.shutdown)
            at = self._at
            producer = SlotProducer(
                self._broker, transactional_id, at.partitions_in_all, at.partitions[0]
            )
            await opened.enter_async_context(producer)
            slot = await self._load()
            inputs = await self._open(slot, opened)
            await self._commit_all(producer, self._recover(slot))
            self._decided = inputs.decided
            self._ports.on_loaded()
            while not stop.is_set():
                await self._step(producer, slot, inputs)

    def waiting(self) -> Iterator[Waiting]:
        """Tell of every partition how far it was read and where it ends, as far as is known."""
        return self._decided.waiting() if self._decided else iter(())

    async def _load(self) -> Slot:
        """Read state, registry and keys; prove that none went back."""
        async for record in replay(self._broker, self._places(Topic.STATE)):
            self._table.apply(write_of(record))
        slot = await self._in_thread(self._make, self._table)
        seen = slot.stage.memory.slot
        until = {REGISTRY: seen.positions.get(_name(REGISTRY), 0)}
        registry = [record async for record in replay(self._broker, [REGISTRY], until)]
        vault = [record async for record in replay(self._broker, self._places(Topic.VAULT))]
        await self._in_thread(slot.operations.load, registry, vault, seen)
        self._clock.last_ms = seen.last_ms
        return slot

    async def _open(self, slot: Slot, opened: AsyncExitStack) -> Inputs:
        positions = slot.stage.memory.slot.positions

        async def reader(places: Sequence[Place]) -> Reader:
            start = {place: positions.get(_name(place), 0) for place in places}
            return await opened.enter_async_context(Reader(self._broker, start))

        return Inputs(
            await reader(self._places(Topic.DECIDED)),
            await reader(self._places(Topic.KEY_REQUESTS)),
            await reader([REGISTRY]),
        )

    async def _step(self, producer: SlotProducer, slot: Slot, inputs: Inputs) -> None:
        decided = await inputs.decided.read(BATCH_COUNT_MAX, IDLE_MS)
        requests = [r async for page in inputs.requests.read_to_end() for r in page]
        registry = [r async for page in inputs.registry.read_to_end() for r in page]
        if decided or requests or registry:
            commits = self._judge(slot, registry, requests, decided)
            await self._commit_all(producer, commits)
        else:
            slot.operations.keychain.close_expired()

    def _recover(self, slot: Slot) -> Iterator[Commit]:
        self._prove(slot, self._table.pending_accounts())
        yield from slot.recover(self._clock.now_ms())

    def _prove(self, slot: Slot, accounts: Iterable[str]) -> None:
        """Compare accounts with the ledger when they are first used; raise ``StateRolledBack``."""
        new = sorted(set(accounts) - self._proven)
        if new:
            slot.stage.memory.check_not_behind(self._ports.newest(new))
            self._proven.update(new)

    def _judge(
        self,
        slot: Slot,
        registry: Sequence[Record],
        requests: Sequence[Record],
        decided: Sequence[Record],
    ) -> Iterator[Commit]:
        now_ms = self._clock.now_ms()
        trail = slot.administer(registry, requests, now_ms)
        received: list[Received] = []
        for record in decided:
            try:
                received.append(receive(record, self._at.partitions_in_all))
            except Refused as error:
                trail.append(slot.operations.refused("record.refused", record, now_ms, str(error)))
        self._prove(slot, (one.intent.account for one in received))
        self._admitted_ms = _admitted_ms(received)
        arrivals = [Arrival(one.source, one.clearance) for one in received]
        read = _behind([*registry, *requests, *decided])
        yield from slot.judge(arrivals, trail, now_ms, read)

    async def _commit_all(self, producer: SlotProducer, commits: Iterator[Commit]) -> None:
        while commit := await self._in_thread(next, commits, None):
            await producer.commit(*commit)
            for write in commit.writes:
                self._table.apply(write)
            self._ports.on_commit(commit, self._admitted_ms)

    async def _in_thread(self, work: Callable[..., Result], *given: object) -> Result:
        """Keep the event loop free for the broker's heartbeats while rules and keys are at work."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)

    def _places(self, topic: Topic) -> list[Place]:
        return [(topic, partition) for partition in self._at.partitions]


def _behind(records: Sequence[Record]) -> Positions:
    """Return the position behind the last record of every partition."""
    return {_name((r.topic, r.partition)): r.offset + 1 for r in records}


def _admitted_ms(received: Iterable[Received]) -> AdmittedMs:
    """Return the times of first verdicts; a forged clearance may have none."""
    found = (one.clearance for one in received)
    return {one.intent: one.verdicts[0].at_ms for one in found if one.verdicts}


def _name(place: Place) -> str:
    return f"{place[0]}/{place[1]}"
