"""One slot of the signer on Kafka.

1. Wait for a fresh head of the registry, here, after loading and before every batch: a process
   whose clock is wrong takes nobody's place and writes nothing.
2. Fence: the slot's transactional producer starts, and whoever held the slot before can write no
   more. If we die from here on, the next process does the same.
3. Read the slot's state to its end, then registry and keys as far as the state has seen them, and
   prove that none of them went back.
4. Read the registry to its end, and halt unless it names this signer with the key it has: one that
   an admin took back while it was down signs nothing more, not even what it had pinned.
5. Attest this life, as whoever releases keys wants to know whom to: its record goes with the first
   outcomes that name it, in their 7. Then finish what an earlier life pinned: the same bytes,
   whatever else changed since.
6. Read a batch, then key requests, then the registry to its end: what was registered before an
   intent or a request is known when it is judged.
7. Commit pinned outcomes, state and positions, together with the signed outcomes of the batch
   before. If we die before, both batches are pinned or unread: 5 and 6 do the rest; if we die
   after, 5 finishes this one.
   Where nothing came, what waited for a quiet moment is done and committed alone.
8. Sign. Where the next batch is there already the outcomes go with its 7, else they are committed
   at once: they wait neither for a batch nor for a head. If we die before, 5 makes the same bytes.

Whatever fails ends the process: only a new start can tell what was written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import NamedTuple, TypeAlias, TypeVar

from schemas.heads import RegistryHead
from schemas.partition import SlotPartitions
from schemas.record import REGISTRY_PARTITION
from schemas.topics import Topic
from streams.kafka.broker import Broker
from streams.kafka.errors import no_registry
from streams.kafka.producer import SlotProducer
from streams.kafka.reader import Reader, Waiting, replay
from streams.kafka.state import StateTable
from streams.runners.clock import SteadyClock
from streams.runners.slot import Commit, Slot, position_name
from streams.runners.slot_batches import AdmittedMs, NewestSequences, ReadRecords, SlotBatches
from streams.runners.slot_inputs import Inputs, open_inputs, places_of, positions_behind
from streams.slow_calls import log_slow

_LOG = logging.getLogger("sixgate.slot")
BATCH_COUNT_MAX = 500
IDLE_MS = 200
HEAD_S = 0.005
Result = TypeVar("Result")
MakeSlot: TypeAlias = Callable[[StateTable], Slot]
OnCommit: TypeAlias = Callable[[Commit, AdmittedMs], None]
FreshHead: TypeAlias = Callable[[asyncio.Event], Awaitable[RegistryHead | None]]


class Ports(NamedTuple):
    """What a slot asks and tells others.

    ``newest`` gives, of some accounts, the sequence of the newest outcome that the ledger holds;
    ``on_commit`` hears what became visible, and when each intent of it was admitted as far as its
    gate's verdict tells: that is advice. ``on_loaded`` hears that the slot is at work.
    ``attest`` names this life to the slot, once it knows registry and keys. ``fresh_head`` waits
    for a head of the registry that is fresh, and raises ``RegistryStaleError``; it gives None where
    none is required, or once it is told to stop.
    """

    newest: NewestSequences
    on_commit: OnCommit
    on_loaded: Callable[[], None]
    fresh_head: FreshHead
    attest: Callable[[Slot], None]


class KafkaSigner:
    """Runs one slot until it is told to stop, or something fails."""

    def __init__(
        self, broker: Broker, at: SlotPartitions, make: MakeSlot, clock: SteadyClock, ports: Ports
    ) -> None:
        """``make`` builds the slot around its state."""
        self._broker = broker
        self._at = at
        self._make = make
        self._clock = clock
        self._ports = ports
        self._table = StateTable()
        self._decided: Reader | None = None
        self._head: RegistryHead | None = None
        self._admitted_ms: AdmittedMs = {}
        self._thread = ThreadPoolExecutor(1, f"slot-{at.number}")

    async def run(self, transactional_id: str, stop: asyncio.Event) -> None:
        """Decide and sign until ``stop`` is set.

        Raises ``KafkaBusError``, ``StateIntegrityError``, ``ClockError``, ``HaltError``,
        ``RegistryStaleError``: the process ends.
        """
        async with AsyncExitStack() as opened:
            opened.callback(self._thread.shutdown)
            if not await self._fresh(stop):
                return
            at = self._at
            producer = SlotProducer(
                self._broker, transactional_id, at.partitions_total, at.partitions[0]
            )
            await opened.enter_async_context(producer)
            _LOG.info("slot.fenced", extra={"slot": at.number})
            slot = await self._load()
            registered = slot.stage.registry.sequence
            _LOG.info("slot.loaded", extra={"slot": at.number, "registry_records": registered})
            batches = SlotBatches(slot, self._clock, at.partitions_total, self._ports.newest)
            positions = slot.stage.memory.slot.positions
            inputs = await open_inputs(self._broker, at, positions, opened)
            if await self._fresh(stop):
                await self._catch_up(producer, batches, inputs)
                await self._in_thread(self._ports.attest, slot)
                await self._commit_all(producer, slot.recover())
                _LOG.info("slot.recovered", extra={"slot": at.number})
                self._decided = inputs.decided
                self._ports.on_loaded()
            while await self._go_on(producer, slot, stop):
                await self._step(producer, batches, inputs)
            if slot.has_unpublished:
                await self._publish(producer, slot)

    def waiting(self) -> Iterator[Waiting]:
        """Tell of every partition how far it was read and where it ends, as far as is known."""
        return self._decided.waiting() if self._decided else iter(())

    async def _fresh(self, stop: asyncio.Event) -> bool:
        """Wait for a fresh head, unless told to stop; tell whether to go on.

        It is from before the registry is read, so the registry must reach it.
        """
        self._head = await self._ports.fresh_head(stop)
        return not stop.is_set()

    async def _go_on(self, producer: SlotProducer, slot: Slot, stop: asyncio.Event) -> bool:
        """Do as ``_fresh``, and publish what is signed where a head does not come at once."""
        fresh = asyncio.create_task(self._fresh(stop))
        try:
            at_once, _ = await asyncio.wait({fresh}, timeout=HEAD_S)
            if slot.has_unpublished and not at_once:
                await self._publish(producer, slot)
            return await fresh
        finally:
            fresh.cancel()

    async def _load(self) -> Slot:
        """Read state, registry and keys; prove that none went back."""
        async for record in replay(self._broker, places_of(self._at, Topic.STATE)):
            self._table.load(record)
        slot = await self._in_thread(self._make, self._table)
        seen = slot.stage.memory.slot
        until = {REGISTRY_PARTITION: seen.positions.get(position_name(REGISTRY_PARTITION), 0)}
        registry = [record async for record in replay(self._broker, [REGISTRY_PARTITION], until)]
        vault = [record async for record in replay(self._broker, places_of(self._at, Topic.VAULT))]
        await self._in_thread(slot.operations.load, registry, vault, seen)
        self._clock.last_ms = seen.last_ms
        return slot

    async def _step(self, producer: SlotProducer, batches: SlotBatches, inputs: Inputs) -> None:
        slot = batches.slot
        wait_ms = 0 if slot.has_unpublished else IDLE_MS
        decided = await inputs.decided.read(BATCH_COUNT_MAX, wait_ms)
        if slot.has_unpublished and not decided:
            await self._publish(producer, slot)
            return
        requests = await inputs.requests.read(BATCH_COUNT_MAX, wait_ms=0)
        registry = [r async for page in inputs.registry.read_to_end() for r in page]
        if registry and slot.has_unpublished:  # it may say that nothing is signed any more
            await self._publish(producer, slot)
        if decided or requests or registry:
            read = ReadRecords(registry, requests, decided)
            with log_slow(_LOG, "slot.batch_slow", slot=self._at.number, records=len(decided)):
                pinned = await self._in_thread(batches.pin, read, self._head)
            await self._commit(producer, pinned.commit)
            self._admitted_ms = pinned.admitted_ms
            with log_slow(_LOG, "slot.signing_slow", slot=self._at.number, records=len(decided)):
                await self._in_thread(slot.sign)
        else:
            slot.operations.keychain.close_expired()
            await self._commit_all(producer, slot.idle(self._clock.now_ms()))

    async def _publish(self, producer: SlotProducer, slot: Slot) -> None:
        await self._commit(producer, await self._in_thread(slot.publish))

    async def _catch_up(self, producer: SlotProducer, batches: SlotBatches, inputs: Inputs) -> None:
        """Take what was registered meanwhile; halt here where this signer may not sign under it."""
        slot = batches.slot
        await self._in_thread(batches.prove, self._table.pending_accounts())
        records = [r async for page in inputs.registry.read_to_end() for r in page]
        now_ms = self._clock.now_ms()
        trail = await self._in_thread(slot.administer, records, [], now_ms, self._head)
        if not slot.stage.registry.sequence:
            raise no_registry()
        await self._commit_all(producer, slot.judge([], trail, now_ms, positions_behind(records)))

    async def _commit_all(self, producer: SlotProducer, commits: Iterator[Commit]) -> None:
        while commit := await self._in_thread(next, commits, None):
            await self._commit(producer, commit)

    async def _commit(self, producer: SlotProducer, commit: Commit) -> None:
        facts = {"slot": self._at.number, "events": len(commit.events)}
        with log_slow(_LOG, "slot.commit_slow", **facts):
            await producer.commit(*commit)
        for write in commit.writes:
            self._table.apply(write)
        self._ports.on_commit(commit, self._admitted_ms)

    async def _in_thread(self, work: Callable[..., Result], *given: object) -> Result:
        """Keep the event loop free for the broker's heartbeats while rules and keys are at work."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)
