"""The ports of the HTTP API over the node of a data folder, in the same process."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial

from schemas.fields import TimeMs, X25519PublicKey
from schemas.record import Outgoing
from signer.registered import Registered
from signer.vaults.register import VaultRegister
from sixgate.answers.outcome_notifications import Notice, Watch
from sixgate.answers.pending_records import Pending, names_of
from sixgate.api import Json
from sixgate.backends.ports import Backend
from sixgate.embedded.log_files import LogFiles
from sixgate.embedded.node import Node
from streams.simulators.simulation import Call, Simulation, SimulationFailure

CHECK_S = 0.5


def embedded_backend(node: Node) -> Backend:
    """Return the ports over a running node."""
    return Backend(
        submit=_Submit(node),
        wait=_Wait(node),
        read=_Read(node),
        administer=node,
        secrets=node,
        evidence=node,
    )


@dataclass(frozen=True, slots=True)
class _Submit:
    node: Node

    def append(self, events: Sequence[Outgoing]) -> None:
        """See ``Submit.append``."""
        self.node.pipeline.append(events)
        self.node.pipeline.wake()


@dataclass(frozen=True, slots=True)
class _Wait:
    node: Node

    @contextmanager
    def expect(self, account: str, envelope: bytes) -> Iterator["_Expected"]:
        """See ``Wait.expect``."""
        names = names_of(envelope, account)
        queue = _LoopQueue(asyncio.get_running_loop())
        with self.node.notices.watching(names, queue) as watch:
            yield _Expected(Pending([names]), queue, watch, self.node)


@dataclass(frozen=True, slots=True)
class _LoopQueue:
    """Passes notices from the pipeline's thread to an event loop."""

    loop: asyncio.AbstractEventLoop
    notices: "asyncio.Queue[list[Notice]]" = field(default_factory=asyncio.Queue)

    def put(self, notices: list[Notice]) -> None:
        self.loop.call_soon_threadsafe(self.notices.put_nowait, notices)


@dataclass(frozen=True, slots=True)
class _Expected:
    pending: Pending
    queue: _LoopQueue
    watch: Watch
    node: Node

    async def result(self, wait_s: float) -> Json | None:
        """See ``Expected.result``."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + wait_s
        while (left_s := end_s - loop.time()) > 0:
            try:
                notices = await asyncio.wait_for(self.queue.notices.get(), min(left_s, CHECK_S))
            except TimeoutError:
                self.node.pipeline.check_running()
                continue
            # Looking up an earlier end reads the ledger, which blocks.
            ends = await asyncio.to_thread(self._taken, notices)
            if ends:
                return ends[0]
        return None

    def _taken(self, notices: list[Notice]) -> list[Json]:
        first_end = partial(self.node.first_end, self.watch)
        taken = (self.pending.take(*notice, first_end) for notice in notices)
        return [end for ends in taken for end in ends]


@dataclass(frozen=True, slots=True)
class _Read:
    node: Node

    @property
    def registered(self) -> Registered:
        """See ``Read.registered``."""
        return self.node.stage.registry

    @property
    def vaults(self) -> VaultRegister:
        """See ``Read.vaults``."""
        return self.node.vaults

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """See ``Read.unchanged``."""
        with self.node.pipeline.lock:
            yield

    def spent_wei(self, account: str, at_ms: TimeMs) -> int:
        """See ``Read.spent_wei``."""
        with self.node.pipeline.lock:
            return self.node.stage.memory.account(account).spent_wei(at_ms)

    def share_key(self, account: str) -> X25519PublicKey | None:
        """See ``Read.share_key``."""
        announced = self.node.vaults.sealed_for(account, self.node.stage.registry)
        return announced.public_key if announced else None

    def outcome(self, intent: str) -> Json | None:
        """See ``Read.outcome``."""
        return self.node.outcome(intent)

    @contextmanager
    def feed(self) -> Iterator[LogFiles]:
        """See ``Read.feed``."""
        folder, partitions = self.node.pipeline.parts.folder, self.registered.partitions
        with closing(LogFiles(folder, partitions)) as files:
            yield files

    def simulate(self, calls: Sequence[Call]) -> list[Simulation | SimulationFailure]:
        """See ``Read.simulate``."""
        return self.node.pipeline.parts.simulations.run(calls)
