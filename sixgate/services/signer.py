"""The signer process: runs its slots concurrently.

1. Protect memory, then open the signer's keys.
2. Check topics and rights, and follow registry heads.
3. Run every slot (``streams.runners.kafka_signer``). Taking a slot over fences the process that
   held it before. *If the process ends before that, the former process goes on signing. If it ends
   later, the next process that takes the slot over finishes exactly the pinned outcomes; until then
   no process signs for the slot's accounts.*

The first slot that fails ends all slots of the process.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from typing import ClassVar

import orjson

from schemas.ledger.audit import action_of
from schemas.partition import SlotPartitions, partition_of, slot_partitions
from schemas.topics import Principal, Topic
from signer.attestation.attestor import Attestor
from signer.core.registry.registry import Registry
from signer.stage.slot import Commit, Slot
from sixgate.attesting.evidence_service import EvidenceService
from sixgate.clocks import boot_ms, wall_ms
from sixgate.config.signer import SignerProcessSettings
from sixgate.data_folder.signer_files import SignerFiles
from sixgate.errors import SettingsError
from sixgate.services.attestation_page import attestation_page
from sixgate.services.freshness import Freshness
from sixgate.services.gc_tuning import freeze_gc
from sixgate.services.ledger_queries import LedgerQueries
from sixgate.services.monitor import Monitor
from sixgate.services.process import protect_memory
from sixgate.services.signer_keys import prepare_signer
from sixgate.services.slot import make_slot
from sixgate.services.start_checks import check_declared
from streams.kafka.access import SIGNER_TRANSACTIONS
from streams.kafka.reader import PartitionLag
from streams.kafka.state import StateTable
from streams.runners.clock import SteadyClock
from streams.runners.kafka_signer import Callbacks, KafkaSigner
from streams.runners.slot_inputs import AdmittedMs

CLIENT = "sixgate-signer"
_LOG = logging.getLogger("sixgate.signer")


class SignerProcess:
    """Signs for some slots until it is stopped or one of them fails."""

    role: ClassVar[str] = "signer"

    def __init__(self, settings: SignerProcessSettings) -> None:
        """Open the signer's keys; raises ``FolderError``, ``CustodyError``, ``SettingsError``.

        Software keys are refused unless the settings have ``insecure_dev``.
        """
        # 1. Before the first key is read.
        protect_memory()
        self._settings = settings
        self._trust = SignerFiles(settings.data).trust()
        self._slots = self._slot_partitions()
        self._opened = ExitStack()
        prepared = prepare_signer(settings, self._opened)
        self._keys = prepared.keys()
        self._signers: list[KafkaSigner] = []
        self._loaded_count = 0
        self.monitor = Monitor(self.role, self._lag)
        self._attestor = self._serve_evidence(prepared.attestor)

    async def run(self, stop: asyncio.Event) -> None:
        """Run the slots until ``stop`` is set; raise the error that ends the process."""
        # 2. If the process ends here, this process has taken over no slot and written nothing.
        kafka, trust = self._settings.kafka, self._trust
        broker = kafka.broker(CLIENT)
        await check_declared(kafka, broker, trust.partitions, Principal.SIGNER)
        fresh = Freshness(broker, trust.trust_root, self.monitor, self._settings.signer)
        with self._opened:
            # 3. If the process ends here, the slots keep their last commit; ``kafka_signer`` says
            # how it recovers.
            await self._run_slots(fresh, stop)

    async def _run_slots(self, fresh: Freshness, stop: asyncio.Event) -> None:
        async with fresh, asyncio.TaskGroup() as slots:
            for at in self._slots:
                slots.create_task(self._run_slot(at, fresh, stop))

    def _slot_partitions(self) -> list[SlotPartitions]:
        width, partitions = self._trust.partitions_per_slot, self._trust.partitions
        numbers = self._settings.signer.slot_numbers()
        try:
            return [slot_partitions(number, width, partitions) for number in numbers]
        except ValueError as error:
            raise SettingsError(f"{error}: fix --slots or signer.slots") from None

    async def _run_slot(self, at: SlotPartitions, fresh: Freshness, stop: asyncio.Event) -> None:
        settings, trust = self._settings, self._trust
        required, registry = settings.signer.ledger_required, Registry(trust.trust_root)
        queries = LedgerQueries(settings.clickhouse, registry, required=required)
        clock = SteadyClock(wall_ms, boot_ms)
        with ExitStack() as opened:
            opened.callback(queries.close)

            def owns(account: str) -> bool:
                return partition_of(account, trust.partitions) in at.partitions

            def make(table: StateTable) -> Slot:
                number = str(at.number)
                slot = make_slot(self._keys, registry, table, number, queries, clock.now_ms)
                slot.maintain_only(owns)
                opened.callback(slot.close)
                queries.registry_seen = slot.state.registry_sequence
                return slot

            broker = settings.kafka.broker(f"{CLIENT}-{at.number}")
            # First: a signer that cannot prove its state must not fence the one that runs.
            await asyncio.to_thread(queries.check_available)
            signer = KafkaSigner(
                broker,
                at,
                make,
                clock,
                Callbacks(
                    queries.newest, self._on_commit, self._on_loaded, fresh.head, self._attest
                ),
            )
            self._signers.append(signer)
            await signer.run(f"{SIGNER_TRANSACTIONS}-{trust.org}-{at.number}", stop)

    def _serve_evidence(self, attestor: Attestor | None) -> Attestor | None:
        """Serve attestation evidence at the monitor's port."""
        if attestor is None:
            _LOG.warning("signer.unattested", extra={"detail": "no section [attestation]"})
            return None
        self.monitor.add_page(attestation_page(EvidenceService(attestor, boot_ms)))
        return attestor

    def _attest(self, slot: Slot) -> None:
        """Attest the boot to a slot. All slots of the process share one boot; each publishes it."""
        if self._attestor is None:
            return
        boot = self._attestor.boot(slot.registry)
        slot.attest(boot)
        facts = {"boot": boot.id, "simulated": boot.simulated}
        facts |= {"configuration": boot.facts.configuration}
        _LOG.info("signer.attested", extra=facts)

    def _on_loaded(self) -> None:
        self._loaded_count += 1
        if self._loaded_count == len(self._slots):
            freeze_gc()
            self.monitor.ready()

    def _on_commit(self, commit: Commit, admitted_ms: AdmittedMs) -> None:
        """Count committed events and observe the latency of outcomes."""
        now_ms = wall_ms()
        for event in commit.events:
            if event.topic is Topic.AUDIT:
                self.monitor.audited(action_of(event.value))
            if event.topic is Topic.OUTCOMES:
                outcome = orjson.loads(event.value)  # our own: needs no verification
                self.monitor.decided(outcome["type"], outcome.get("reason", ""))
                if (intent := outcome["intent"]) in admitted_ms:
                    self.monitor.observe_latency((now_ms - admitted_ms[intent]) / 1000)

    def _lag(self) -> Iterator[PartitionLag]:
        for signer in self._signers:
            yield from signer.lag()
