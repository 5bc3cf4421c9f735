"""The signer as a process of its own: every slot it was given, side by side."""

import asyncio
from collections.abc import Iterator
from contextlib import closing

from schemas.outcome import IntentRejected, decode_outcome
from schemas.partition import SlotPlace, slot_place
from schemas.topics import Principal, Topic
from signer.registry import Registry
from sixgate.clocks import boot_ms, wall_ms
from sixgate.folder import Folder
from sixgate.scaled.declared import refuse_weaker
from sixgate.scaled.monitor import Monitor
from sixgate.scaled.proofs import LedgerProofs
from sixgate.scaled.settings import Settings
from sixgate.settings_wrong import SettingsWrong
from sixgate.slots import make_slot, open_signer_keys
from streams.kafka.access import SIGNER_TRANSACTIONS
from streams.kafka.reader import Waiting
from streams.kafka.state import StateTable
from streams.runners.clock import SteadyClock
from streams.runners.kafka_signer import AdmittedMs, KafkaSigner, Ports
from streams.runners.slot import Commit, Slot

PROCESS = "signer"


class SignerProcess:
    """Signs for some slots until it is stopped; the first that fails ends them all."""

    def __init__(self, settings: Settings) -> None:
        """Open the signer's keys; raises ``FolderError``, ``CustodyError``, ``SettingsWrong``."""
        folder = Folder(settings.data)
        self._settings = settings
        self._trust = folder.trust()
        self._places = self._slots()
        self._held = open_signer_keys(folder)
        self._signers: list[KafkaSigner] = []
        self._loaded_count = 0
        self.monitor = Monitor(PROCESS, self._waiting)

    async def run(self, stop: asyncio.Event) -> None:
        """Raise what ends the process."""
        async with asyncio.TaskGroup() as slots:
            for place in self._places:
                slots.create_task(self._run_slot(place, stop))

    def _slots(self) -> list[SlotPlace]:
        width, partitions = self._trust.partitions_per_slot, self._trust.partitions
        numbers = self._settings.signer.slot_numbers()
        try:
            return [slot_place(number, width, partitions) for number in numbers]
        except ValueError as error:
            raise SettingsWrong(f"{error}: mend --slots or signer.slots") from None

    async def _run_slot(self, place: SlotPlace, stop: asyncio.Event) -> None:
        settings, trust = self._settings, self._trust
        required, registry = settings.signer.ledger_required, Registry(trust.trust_root)
        proofs = LedgerProofs(settings.clickhouse, registry.signer_keys, required=required)
        with closing(proofs):

            def make(table: StateTable) -> Slot:
                number = str(place.number)
                return make_slot(self._held, registry, table, number, proofs.has_outcome)

            broker = settings.kafka.broker(f"sixgate-signer-{place.number}")
            await refuse_weaker(settings.kafka, broker, trust.partitions, Principal.SIGNER)
            signer = KafkaSigner(
                broker,
                place,
                make,
                SteadyClock(wall_ms, boot_ms),
                Ports(proofs.newest, self._committed, self._loaded),
            )
            self._signers.append(signer)
            await signer.run(f"{SIGNER_TRANSACTIONS}-{trust.org}-{place.number}", stop)

    def _loaded(self) -> None:
        self._loaded_count += 1
        if self._loaded_count == len(self._places):
            self.monitor.ready()

    def _committed(self, commit: Commit, admitted_ms: AdmittedMs) -> None:
        """Count the outcomes that became visible, and how long they took."""
        now_ms = wall_ms()
        for event in commit.events:
            if event.topic is Topic.OUTCOMES:
                outcome = decode_outcome(event.value)
                reason = outcome.reason if isinstance(outcome, IntentRejected) else ""
                self.monitor.decided(outcome.type, reason)
                if outcome.intent in admitted_ms:
                    self.monitor.took((now_ms - admitted_ms[outcome.intent]) / 1000)

    def _waiting(self) -> Iterator[Waiting]:
        for signer in self._signers:
            yield from signer.waiting()
