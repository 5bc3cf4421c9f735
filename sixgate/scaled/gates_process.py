"""The gates as a process of their own: all six stages on Faust, and what they must know."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing
from typing import NoReturn

from schemas.audit import AuditRecord
from schemas.clearance import Unattributed
from schemas.record import Outgoing
from schemas.topics import Principal, Topic
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import SIMULATOR, Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.fatal_errors import FATAL_ERRORS
from sixgate.gc_tuning import freeze_gc
from sixgate.scaled.freshness import Freshness
from sixgate.scaled.monitor import Monitor
from sixgate.scaled.settings import Settings
from sixgate.scaled.start_checks import refuse_weaker
from streams.gates.pipelining import Ahead
from streams.kafka.producer import Sender
from streams.kafka.projections import Projections
from streams.kafka.reader import Waiting
from streams.runners.faust import GateLine, add_gates
from streams.runners.faust_app import GatesApp, gates_app
from streams.simulators.guarded import GuardedSimulator
from streams.simulators.local import DEADLINE_MS, LIMITS, LocalSimulator
from streams.simulators.report import Reporter

PROCESS = "gates"
IO_FAILED = 70
HALTED = 7
_LOG = logging.getLogger("sixgate.gates")


class GatesProcess:
    """Leads intents through the gates until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        """Open the simulator's key; raises ``FolderError``, ``KeyFileError``."""
        self._folder = Folder(settings.data)
        self._trust = self._folder.trust()
        self._simulator_key = load_key_file(self._folder.key(SIMULATOR), SIMULATOR)
        self._settings = settings.gates
        self._kafka = settings.kafka
        self._broker = settings.kafka.broker(f"sixgate-{settings.gates.instance}")
        self._app: GatesApp | None = None
        self.monitor = Monitor(PROCESS, self._waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Raise what keeps the gates from starting; what fails later ends the process at once."""
        partitions = self._trust.partitions
        await refuse_weaker(self._kafka, self._broker, partitions, Principal.GATES)
        async with AsyncExitStack() as opened:
            local = opened.enter_context(closing(LocalSimulator(self._folder.genesis, LIMITS)))
            simulator = GuardedSimulator(local, boot_ms)
            self.monitor.show_breaker(lambda: simulator.state)
            simulate = Reporter(simulator, self._simulator_key, wall_ms, DEADLINE_MS)
            known = Projections(self._broker, self._trust.trust_root, wall_ms)
            await opened.enter_async_context(known)
            sender = Sender(self._broker, lambda: known.world.registry.partitions)
            await opened.enter_async_context(sender)
            fresh = Freshness(self._broker, self._trust.trust_root, self.monitor, self._settings)
            await opened.enter_async_context(fresh)
            await fresh.head(stop)
            app = self._app = gates_app(self._broker, self._settings.instance)
            ahead = Ahead(app.all_done)
            app.when_moved(ahead.clear)
            line = GateLine(known, sender, simulate, fresh.now_ms, self._sent, ahead)
            add_gates(app, line, end_process)
            opened.push_async_callback(app.stop)
            await app.start()
            following = asyncio.create_task(known.follow())
            opened.callback(following.cancel)
            freeze_gc()
            self.monitor.ready()
            await _either(stop, following)

    def _sent(self, events: Sequence[Outgoing]) -> None:
        """Count what ends at a gate; a crash may count it again, as it sends it again."""
        for event in events:
            if event.topic is Topic.AUDIT:
                self.monitor.audited(AuditRecord.decode(event.value).action)
            if event.topic is Topic.UNATTRIBUTED:
                end = Unattributed.decode(event.value)
                self.monitor.decided(end.type, end.reason)

    def _waiting(self) -> Iterator[Waiting]:
        return self._app.waiting() if self._app else iter(())


async def _either(stop: asyncio.Event, task: "asyncio.Task[None]") -> None:
    """Wait until somebody stops us; raise what the task raises, if it ends first."""
    stopping = asyncio.create_task(stop.wait())
    done, _ = await asyncio.wait({stopping, task}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if task in done:
        task.result()


def end_process(error: BaseException) -> NoReturn:
    """End the process now: Faust would take an exception for an answer and go on."""
    _LOG.error("the gates end: what was not sent is read again by the next start", exc_info=error)
    sys.stderr.flush()
    os._exit(HALTED if isinstance(error, FATAL_ERRORS) else IO_FAILED)
