"""Runs one slot of the signer on Kafka.

1. Wait for a fresh registry head: here, after loading, and before every batch. So a process with a
   wrong clock neither fences nor writes anything.
2. Fence: starting the slot's transactional producer locks out the slot's former signer.
   *If the process ends after this point, the next process fences in the same way.*
3. Read the slot's state to its end, then registry and vault as far as the state has seen them, and
   check that they were not rolled back.
4. Read the registry to its end, and halt unless it names this signer with its key: a signer that
   was revoked while it was down signs nothing more, not even its pinned outcomes.
5. Name this boot; key releases verify it. Its record is committed with the first outcomes that name
   it, in their step 7. Then finish what earlier boots pinned: the same bytes, whatever has expired
   or changed since. *If the process ends here, the next start continues.*
6. Read a batch, then key requests, then the registry to its end: the signer knows everything that
   was registered before an intent or a request.
7. Commit the pinned outcomes, state and positions together with the signed outcomes of the batch
   before. *If the process ends before the commit, step 5 signs the batch before again, step 6 reads
   this one again. If it ends after that, step 5 finishes this batch.* If nothing arrived, custody
   maintenance is done and committed alone.
8. Sign. If the next batch is ready, the outcomes join its step 7; otherwise they are committed
   immediately: they wait neither for a batch nor for a head. *If the process ends before that, step
   5 makes the same bytes.*

Every failure ends the process: after a failed commit only a new start can find out what was
written.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import NamedTuple, TypeAlias, TypeVar

from schemas.ledger.heads import RegistryHead
from schemas.partition import SlotPartitions
from schemas.record import REGISTRY_PARTITION
from schemas.topics import Topic
from signer.stage.batch import ReadRecords, pin_batch, position_name
from signer.stage.slot import Commit, Slot
from streams.kafka.broker import Broker
from streams.kafka.errors import no_registry
from streams.kafka.producer import SlotProducer
from streams.kafka.reader import PartitionLag, Reader, replay
from streams.kafka.state import StateTable
from streams.runners.clock import SteadyClock
from streams.runners.slot_inputs import (
    AdmittedMs,
    Clearances,
    Inputs,
    NewestSequences,
    open_inputs,
    partitions_of_slot,
)
from streams.slow_calls import log_slow

_LOG = logging.getLogger("sixgate.slot")
BATCH_COUNT_MAX = 500
IDLE_MS = 200
HEAD_S = 0.005
Result = TypeVar("Result")
MakeSlot: TypeAlias = Callable[[StateTable], Slot]
OnCommit: TypeAlias = Callable[[Commit, AdmittedMs], None]
FreshHead: TypeAlias = Callable[[asyncio.Event], Awaitable[RegistryHead | None]]


class Callbacks(NamedTuple):
    """What a slot needs from its process.

    ``newest`` returns the sequence of the newest outcome in the ledger, by account.
    ``on_commit`` receives what became visible and the admission times of its intents; these come
    from the gates' verdicts, so they are advice. ``on_loaded`` is called when the slot is ready.
    ``attest`` names this boot to the slot, once registry and keys are loaded. ``fresh_head`` waits
    for a fresh registry head and raises ``RegistryStaleError``; it returns None if no head is
    required or the process is stopping.
    """

    newest: NewestSequences
    on_commit: OnCommit
    on_loaded: Callable[[], None]
    fresh_head: FreshHead
    attest: Callable[[Slot], None]


class KafkaSigner:
    """Runs one slot until it is stopped or fails."""

    def __init__(
        self,
        broker: Broker,
        at: SlotPartitions,
        make: MakeSlot,
        clock: SteadyClock,
        callbacks: Callbacks,
    ) -> None:
        """``make`` builds the slot around its state."""
        self._broker = broker
        self._at = at
        self._make = make
        self._clock = clock
        self._callbacks = callbacks
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
            # 1. If the process ends before this point, nothing happened, and the former signer
            # still runs.
            if not await self._wait_for_head(stop):
                return
            at = self._at
            producer = SlotProducer(
                self._broker, transactional_id, at.partitions_total, at.partitions[0]
            )
            # 2. From here on the former signer cannot commit, so the state that is read next is
            #    complete: fencing ended its last transaction, committed or aborted.
            await opened.enter_async_context(producer)
            _LOG.info("slot.taken_over", extra={"slot": at.number})
            # 3. Nothing is written while loading.
            slot = await self._load()
            registered = slot.registry.record_count
            _LOG.info("slot.loaded", extra={"slot": at.number, "registry_records": registered})
            clearances = Clearances(slot, at.partitions_total, self._callbacks.newest)
            inputs = await open_inputs(self._broker, at, slot.state.positions, opened)
            # The head of step 1 may have expired while loading.
            if await self._wait_for_head(stop):
                # 4. Halts here, before anything is signed, if the registry revoked this signer.
                await self._catch_up(producer, clearances, inputs)
                # 5. If the process ends during this step, unpublished outcomes stay pinned, and the
                # next start repeats it.
                await self._in_thread(self._callbacks.attest, slot)
                await self._commit_all(producer, slot.recover())
                _LOG.info("slot.recovered", extra={"slot": at.number})
                self._decided = inputs.decided
                self._callbacks.on_loaded()
            while await self._next_head(producer, slot, stop):
                await self._step(producer, clearances, inputs)
            if slot.has_unpublished:  # a regular stop; after a crash step 5 does it
                await self._publish(producer, slot)

    def lag(self) -> Iterator[PartitionLag]:
        """Yield position and end of every partition, once the slot is ready."""
        return self._decided.lag() if self._decided else iter(())

    async def _wait_for_head(self, stop: asyncio.Event) -> bool:
        """Wait for a fresh registry head; return whether to continue, False once ``stop`` is set.

        The registry is read after it, so the registry must contain the record that it names.
        """
        self._head = await self._callbacks.fresh_head(stop)
        return not stop.is_set()

    async def _next_head(self, producer: SlotProducer, slot: Slot, stop: asyncio.Event) -> bool:
        """Do as ``_wait_for_head``; publish signed outcomes if the head takes over ``HEAD_S``."""
        head = asyncio.create_task(self._wait_for_head(stop))
        try:
            done, _ = await asyncio.wait({head}, timeout=HEAD_S)
            if slot.has_unpublished and not done:
                await self._publish(producer, slot)
            return await head
        finally:
            head.cancel()

    async def _load(self) -> Slot:
        """Read state, registry and vault; raise if one of them was rolled back."""
        async for record in replay(self._broker, partitions_of_slot(self._at, Topic.STATE)):
            self._table.load(record)
        slot = await self._in_thread(self._make, self._table)
        seen = slot.state
        until = {REGISTRY_PARTITION: seen.positions.get(position_name(REGISTRY_PARTITION), 0)}
        registry = [record async for record in replay(self._broker, [REGISTRY_PARTITION], until)]
        vault = [
            record
            async for record in replay(self._broker, partitions_of_slot(self._at, Topic.VAULT))
        ]
        await self._in_thread(slot.load, registry, vault)
        self._clock.last_ms = seen.last_ms
        return slot

    async def _step(self, producer: SlotProducer, clearances: Clearances, inputs: Inputs) -> None:
        slot = clearances.slot
        # 6. Signed outcomes do not wait: then only records that are already fetched are taken.
        wait_ms = 0 if slot.has_unpublished else IDLE_MS
        decided = await inputs.decided.read(BATCH_COUNT_MAX, wait_ms)
        if slot.has_unpublished and not decided:
            await self._publish(producer, slot)
            return
        requests = await inputs.requests.read(BATCH_COUNT_MAX, wait_ms=0)
        registry = [r async for page in inputs.registry.read_to_end() for r in page]
        if registry and slot.has_unpublished:
            # The records may revoke this signer, and then pinning halts. So publish the outcomes
            # first: they were signed while it was registered.
            await self._publish(producer, slot)
        if decided or requests or registry:
            read = ReadRecords(registry, requests, decided)
            with log_slow(_LOG, "slot.batch_slow", slot=self._at.number, records=len(decided)):
                pinned = await self._in_thread(pin_batch, slot, read, clearances.read, self._head)
            # 7. Until this returns, it is unknown whether the batch is durable; nothing of it is
            #    signed.
            await self._commit(producer, pinned)
            self._admitted_ms = clearances.admitted_ms
            # 8. The outcomes leave with the next step's commit.
            with log_slow(_LOG, "slot.signing_slow", slot=self._at.number, records=len(decided)):
                await self._in_thread(slot.sign)
        else:
            await self._commit_all(producer, slot.idle(self._clock.now_ms()))

    async def _publish(self, producer: SlotProducer, slot: Slot) -> None:
        await self._commit(producer, await self._in_thread(slot.publish))

    async def _catch_up(
        self, producer: SlotProducer, clearances: Clearances, inputs: Inputs
    ) -> None:
        """Read the registry to its end and commit it (step 4).

        Raises ``HaltError`` if it does not name this signer, ``StateRollbackError`` if the ledger
        has newer outcomes of accounts with pinned outcomes.
        """
        slot = clearances.slot
        pending = self._table.pending_accounts()
        await self._in_thread(clearances.check_not_behind_ledger, pending)
        records = [r async for page in inputs.registry.read_to_end() for r in page]
        read = ReadRecords(records, [], [])
        caught_up = await self._in_thread(pin_batch, slot, read, clearances.read, self._head)
        if not slot.registry.record_count:
            raise no_registry()
        await self._commit(producer, caught_up)

    async def _commit_all(self, producer: SlotProducer, commits: Iterator[Commit]) -> None:
        while commit := await self._in_thread(next, commits, None):
            await self._commit(producer, commit)

    async def _commit(self, producer: SlotProducer, commit: Commit) -> None:
        facts = {"slot": self._at.number, "events": len(commit.events)}
        # If this raises, the process ends: the slot's memory already counts the commit.
        with log_slow(_LOG, "slot.commit_slow", **facts):
            await producer.commit(*commit)
        # The table follows the topic only after the commit, so it never shows an aborted write.
        for write in commit.writes:
            self._table.apply(write)
        self._callbacks.on_commit(commit, self._admitted_ms)

    async def _in_thread(self, work: Callable[..., Result], *given: object) -> Result:
        """Run ``work`` in the slot's thread: the event loop stays free for Kafka's heartbeats."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *given)
