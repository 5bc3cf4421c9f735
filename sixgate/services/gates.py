"""The gates process: all six stages on Faust.

1. Check topics and rights, then read registry and vault events to their end.
2. Wait for a fresh registry head: without one, or with a wrong clock, nothing is consumed.
3. Join the consumer group and judge batches until ``stop`` is set or an error ends the process.
   *The process may end at any moment: a batch is acknowledged only after its results are on their
   topics, so the next owner of the partition judges an unacknowledged batch again. Consumers
   recognise repeated records by their event id.*
"""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing
from typing import ClassVar, NoReturn

from schemas.intents.clearance import Unattributed
from schemas.ledger.audit import AuditRecord
from schemas.record import Outgoing
from schemas.topics import Principal, Topic
from sixgate.clocks import boot_ms, wall_ms
from sixgate.config.process_settings import Settings
from sixgate.data_folder.folder import SIMULATOR, Folder
from sixgate.data_folder.key_files import load_key_file
from sixgate.fatal_errors import FATAL_ERRORS
from sixgate.services.first_failure import FirstFailure
from sixgate.services.freshness import Freshness
from sixgate.services.gc_tuning import freeze_gc
from sixgate.services.monitor import Monitor
from sixgate.services.process import first_error
from sixgate.services.start_checks import check_declared
from streams.gates.pipelining import InFlight
from streams.kafka.errors import KafkaBusError
from streams.kafka.producer import Sender
from streams.kafka.projections import Projections
from streams.kafka.reader import PartitionLag
from streams.runners.faust import GateRunner, add_gates
from streams.runners.faust_app import GatesApp, gates_app
from streams.simulators.guarded import GuardedSimulator
from streams.simulators.local import DEADLINE_MS, LIMITS, LocalSimulator
from streams.simulators.report import Reporter

IO_FAILED = 70
HALTED = 7
_LOG = logging.getLogger("sixgate.gates")


class GatesProcess:
    """Passes intents through the gates until it is stopped."""

    role: ClassVar[str] = "gates"

    def __init__(self, settings: Settings) -> None:
        """Open the simulator's key; raises ``FolderError``, ``KeyFileError``."""
        self._folder = Folder(settings.data)
        self._trust = self._folder.trust()
        self._simulator_key = load_key_file(self._folder.key(SIMULATOR), SIMULATOR)
        self._settings = settings.gates
        self._kafka = settings.kafka
        self._broker = settings.kafka.broker(f"sixgate-{settings.gates.instance}")
        self._app: GatesApp | None = None
        self.monitor = Monitor(self.role, self._lag)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set; raise errors of the start. A failing gate ends the process."""
        # 1. Nothing is written before step 3.
        partitions = self._trust.partitions
        await check_declared(self._kafka, self._broker, partitions, Principal.GATES)
        async with AsyncExitStack() as opened:
            local = opened.enter_context(closing(LocalSimulator(self._folder.genesis, LIMITS)))
            simulator = GuardedSimulator(local, boot_ms)
            self.monitor.show_breaker(lambda: simulator.state)
            simulate = Reporter(simulator, self._simulator_key, wall_ms, DEADLINE_MS)
            projections = Projections(self._broker, self._trust.trust_root, wall_ms)
            await opened.enter_async_context(projections)
            sender = Sender(self._broker, lambda: projections.view.registry.partitions)
            await opened.enter_async_context(sender)
            fresh = Freshness(self._broker, self._trust.trust_root, self.monitor, self._settings)
            await opened.enter_async_context(fresh)
            # 2. Every batch checks freshness again (``fresh.now_ms``).
            await fresh.head(stop)
            app = self._app = gates_app(self._broker, self._settings.instance, end_process)
            in_flight = InFlight(app.is_drained)
            app.on_rebalance(in_flight.clear)
            runner = GateRunner(
                projections, sender, simulate, fresh.now_ms, self._count_ends, in_flight
            )
            add_gates(app, runner, end_process)
            # 3. Registered before the start, so that a start that fails half-way is stopped too.
            opened.push_async_callback(app.stop)
            await app.start()
            freeze_gc()
            self.monitor.ready()
            try:
                await FirstFailure().wait(stop, projections.follow())
            except Exception as error:  # noqa: BLE001 - without brokers, Faust takes a minute to stop
                end_process(first_error(error))

    def _count_ends(self, events: Sequence[Outgoing]) -> None:
        """Count intents that end at a gate. After a crash a resent record is counted again."""
        for event in events:
            if event.topic is Topic.AUDIT:
                self.monitor.audited(AuditRecord.decode(event.value).action)
            if event.topic is Topic.UNATTRIBUTED:
                end = Unattributed.decode(event.value)
                self.monitor.decided(end.type, end.reason)

    def _lag(self) -> Iterator[PartitionLag]:
        return self._app.lag() if self._app else iter(())


def end_process(error: BaseException) -> NoReturn:
    """End the process now: any thread may call.

    Faust would acknowledge the failed batch and go on, or wait for a consumer thread that has died.
    No clean-up is needed: the unacknowledged batch is judged again after the next start.
    """
    halted = isinstance(error, FATAL_ERRORS)
    # A library's message may quote a secret; those of our errors do not.
    detail = str(error) if isinstance(error, (*FATAL_ERRORS, KafkaBusError)) else ""
    exit_code = HALTED if halted else IO_FAILED
    facts = {"error": type(error).__name__, "exit_code": exit_code, "detail": detail}
    _LOG.error("process.halted" if halted else "process.failed", extra=facts)
    sys.stderr.flush()
    os._exit(exit_code)
