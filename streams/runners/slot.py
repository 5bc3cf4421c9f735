"""One signer's share of a batch, whatever carries the records: what to commit, in which order.

1. ``pin`` judges a batch. Its commit holds what it pinned, the positions behind it, and the
   outcomes that were signed before and not yet published. If we die before that commit, the batch
   is read again and ``recover`` publishes those outcomes; if we die after it, ``recover`` goes on
   with 2.
2. ``sign`` makes the outcomes, soon or not at all: the same bytes every time. If we die here,
   ``recover`` makes them.
3. They are published with the next batch where one is ready, else by ``publish``: they never wait
   for one. If we die before, ``recover`` makes and publishes them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from schemas.boot import SignerBoot
from schemas.heads import RegistryHead
from schemas.record import Outgoing, PartitionId, Record
from schemas.topics import Topic
from signer.freshness import require_fresh, require_not_withheld
from signer.stage import Arrival, Batch, HaltError, Pinned, SigningStage
from signer.state import StateWrite
from signer.window import SIGN_MS_MAX
from streams.runners.operations import Operations

JUDGED_MS_MAX = 1_000
CHORES_MS = 1_000
RECOVERED_COUNT_MAX = 64
OPENING_MS_MAX = 20_000
"""So short that what a slow KMS opened first is not closed again before it signs."""


class Commit(NamedTuple):
    """What becomes durable together: events to publish and the state that goes with them."""

    events: Sequence[Outgoing]
    writes: Sequence[StateWrite]


@dataclass(slots=True)
class Slot:
    """Judges and signs for the accounts of some partitions.

    Each commit must be durable before anything else is asked for, and whoever cannot tell whether
    it is ends the process.
    """

    stage: SigningStage
    operations: Operations
    now_ms: Callable[[], int]
    _pinned_ms: int = 0
    _chores_ms: int = 0
    _pinned: Batch = field(default_factory=Batch)
    _signed: list[Outgoing] = field(default_factory=list)
    _boot: list[Outgoing] = field(default_factory=list)

    @property
    def has_unpublished(self) -> bool:
        """Tell whether outcomes are signed that no commit holds yet."""
        return bool(self._signed)

    def attest(self, boot: SignerBoot) -> None:
        """Name a life of the signer in all that is decided from now on.

        Its record goes with the first of that: one commit holds both, before any of it is signed.
        """
        self.stage.boot = boot.id
        self._boot = [Outgoing(Topic.BOOTS, "", self.stage.identity.sign_event(boot))]

    def recover(self) -> Iterator[Commit]:
        """Finish what an earlier life pinned and did not publish, some of it at a time.

        The registry must have been read to its end. Raises ``HaltError`` when there is something
        and this signer is not the registered one; whatever else changed stops nothing.
        """
        unfinished = self.stage.unfinished()
        if unfinished:
            self.operations.check_registered(self.stage.registry)
        while unfinished:
            portion = self._opened(unfinished)
            unfinished = unfinished[len(portion) :]
            now_ms = self.now_ms()
            yield self._commit(self.stage.recover(portion, now_ms), [], now_ms, {})
            yield from self._finish()
        self.operations.chores.shares.finishing = False

    def _opened(self, unfinished: list[Pinned]) -> list[Pinned]:
        """Open the keys of the next ones before they are charged: no charge waits for a KMS."""
        begun_ms = self.now_ms()
        for count, pinned in enumerate(unfinished[:RECOVERED_COUNT_MAX], 1):
            self.stage.open_keys([pinned], self.now_ms())
            if self.now_ms() - begun_ms > OPENING_MS_MAX:
                return unfinished[:count]
        return unfinished[:RECOVERED_COUNT_MAX]

    def administer(
        self,
        registry: Sequence[Record],
        requests: Sequence[Record],
        now_ms: int,
        head: RegistryHead | None = None,
    ) -> list[Outgoing]:
        """Take what operators sent; return what to publish about it.

        Raises ``HaltError`` when this signer is registered no longer once all records are in,
        ``RegistryStaleError`` when they are fewer than a ``head`` says that was read before them.
        """
        events = self.register(registry, now_ms)
        if head is not None:
            require_not_withheld(head, self.stage.registry)
            require_fresh(head, now_ms)
        self.operations.check_registered(self.stage.registry)
        events += [event for r in requests for event in self.operations.order(r, now_ms)]
        late = now_ms - self._chores_ms >= CHORES_MS
        return events + self.chores(now_ms) if late else events

    def idle(self, now_ms: int) -> Iterator[Commit]:
        """Do some of what nobody waits for, in a quiet moment; each commit before the next."""
        events = self.chores(now_ms)
        if events or self.stage.memory.changed:
            yield from self.judge([], events, now_ms, {})

    def chores(self, now_ms: int) -> list[Outgoing]:
        """Do some of what nobody waits for, with a batch; return what to publish about it."""
        self._chores_ms = now_ms
        return self.operations.chores.do(now_ms)

    def register(self, registry: Sequence[Record], now_ms: int) -> list[Outgoing]:
        """Take registry records; return what to publish about them."""
        return [event for r in registry for event in self.operations.register(r, now_ms)]

    def judge(
        self,
        arrivals: Sequence[Arrival],
        trail: Sequence[Outgoing],
        now_ms: int,
        read: Mapping[str, int],
    ) -> Iterator[Commit]:
        """Take one batch all the way, one commit after another."""
        yield self.pin(arrivals, trail, now_ms, read)
        yield from self._finish()

    def pin(
        self,
        arrivals: Sequence[Arrival],
        trail: Sequence[Outgoing],
        now_ms: int,
        read: Mapping[str, int],
    ) -> Commit:
        """Judge what arrived; ``trail`` and the positions ``read`` go with the commit.

        Where a KMS took long to open keys, charges count from when all were open.
        """
        batch, judged_ms = self.stage.allocate(arrivals, now_ms), self.now_ms()
        if judged_ms - now_ms > JUDGED_MS_MAX:
            self.stage.recover(batch.pinned, judged_ms)
            now_ms = judged_ms
        return self._commit(batch, trail, now_ms, read)

    def sign(self) -> None:
        """Sign what the last commit pinned, now that it is durable.

        Raises ``HaltError``, too where a charge is so old that it may leave its window before
        the signature is a day old: a process that was stopped in between. The next start charges
        it anew. A signature that came too late leaves the process no more than one that was not
        made. Raises ``ClockError``.
        """
        self._refuse_late()
        signed = self.stage.sign(self._pinned)
        self._refuse_late()
        self._signed, self._pinned = signed, Batch()

    def _refuse_late(self) -> None:
        late_ms = self.now_ms() - self._pinned_ms
        if self._pinned.pinned and late_ms > SIGN_MS_MAX:
            raise HaltError(
                f"{late_ms} ms went by between a charge and its signature: start again, and what "
                "was charged is signed with the charge of that time"
            )

    def publish(self) -> Commit:
        """Return the commit of outcomes that were signed and have no batch to go with."""
        signed, self._signed = self._signed, []
        return Commit(signed, self.stage.memory.drain())

    def _commit(
        self, batch: Batch, trail: Sequence[Outgoing], now_ms: int, read: Mapping[str, int]
    ) -> Commit:
        memory = self.stage.memory
        update = {
            "positions": {**memory.slot.positions, **read},
            "registry_sequence": self.stage.registry.sequence,
            "key_count": self.operations.vault.count,
            "key_digest": self.operations.vault.digest(),
            "share_version": self.operations.chores.shares.version,
            "last_ms": max(now_ms, memory.slot.last_ms),
        }
        signed, self._signed = self._signed, []
        self._pinned, self._pinned_ms = batch, now_ms
        told = self.operations.chores.told(now_ms)
        events = [*signed, *self._named(batch), *trail, *batch.events, *told]
        return Commit(events, memory.drain(memory.slot.model_copy(update=update)))

    def _named(self, batch: Batch) -> list[Outgoing]:
        """Return the record of this life if a batch is the first that names it."""
        names = (live.pinned.boot for _, live in batch.pinned if live.pinned)
        if not self._boot or self.stage.boot not in names:
            return []
        boot, self._boot = self._boot, []
        return boot

    def _finish(self) -> Iterator[Commit]:
        self.sign()
        if self._signed:
            yield self.publish()


def position_name(place: PartitionId) -> str:
    """Return the name of a partition among a slot's positions."""
    return f"{place[0]}/{place[1]}"
