"""One signer's share of a batch, whatever carries the records: what to commit, in which order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from schemas.record import Outgoing, Record
from signer.stage import Arrival, Batch, SigningStage
from signer.state import StateWrite
from streams.runners.operations import Operations


class Commit(NamedTuple):
    """What becomes durable together: events to publish and the state that goes with them."""

    events: Sequence[Outgoing]
    writes: Sequence[StateWrite]


@dataclass(slots=True)
class Slot:
    """Judges and signs for the accounts of some partitions.

    Its iterators yield one commit after another: each must be durable before the next is asked
    for, and whoever cannot tell whether it is ends the process.
    """

    stage: SigningStage
    operations: Operations

    def recover(self, now_ms: int) -> Iterator[Commit]:
        """Finish what an earlier life pinned and did not publish.

        Raises ``StageHalted`` when there is something and this signer is not the registered one.
        """
        recovered = self.stage.recover(now_ms)
        if recovered.pinned:
            self.operations.check_registered(self.stage.registry)
            yield self._pinned([], now_ms, {})
            yield from self._signed(recovered)

    def administer(
        self, registry: Sequence[Record], requests: Sequence[Record], now_ms: int
    ) -> list[Outgoing]:
        """Take what operators sent; return what to publish about it.

        Raises ``StageHalted`` when this signer is registered no longer once all records are in.
        """
        events = [event for r in registry for event in self.operations.register(r, now_ms)]
        self.operations.check_registered(self.stage.registry)
        return events + [event for r in requests for event in self.operations.provision(r, now_ms)]

    def judge(
        self,
        arrivals: Sequence[Arrival],
        trail: Sequence[Outgoing],
        now_ms: int,
        read: Mapping[str, int],
    ) -> Iterator[Commit]:
        """Judge what arrived; ``trail`` and the positions ``read`` go with the first commit."""
        batch = self.stage.allocate(arrivals, now_ms)
        yield self._pinned([*trail, *batch.events], now_ms, read)
        yield from self._signed(batch)

    def _pinned(self, events: Sequence[Outgoing], now_ms: int, read: Mapping[str, int]) -> Commit:
        memory = self.stage.memory
        update = {
            "positions": {**memory.slot.positions, **read},
            "registry_sequence": self.stage.registry.sequence,
            "key_count": len(self.stage.keys.by_path),
            "last_ms": max(now_ms, memory.slot.last_ms),
        }
        return Commit(events, memory.drain(memory.slot.model_copy(update=update)))

    def _signed(self, batch: Batch) -> Iterator[Commit]:
        events = self.stage.sign(batch)
        if events:
            yield Commit(events, self.stage.memory.drain())
