"""Composition root of the embedded pipeline: the only module that knows every concrete part."""

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from signer.attestation.attestor import Attestor
from signer.core.registry.registry import Registry
from signer.keys.signer_events import all_signer_keys_since
from sixgate.attesting.factory import configuration, open_attestor
from sixgate.backends.simulations import Simulations
from sixgate.clocks import boot_ms, wall_ms
from sixgate.config.embedded import EmbeddedSettings
from sixgate.config.loading import load
from sixgate.data_folder.folder import LEDGER, SIMULATOR, SLOT, Folder
from sixgate.data_folder.holder_files import ensure_local_holders
from sixgate.data_folder.key_files import load_key_file
from sixgate.data_folder.signer_files import Trust
from sixgate.services.embedded.ledger_service import LedgerService
from sixgate.services.slot import SignerKeys, make_slot, open_signer_keys
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from streams.runners.clock import SteadyClock
from streams.runners.embedded import EmbeddedRunner, OnCommit
from streams.simulators.guarded import GuardedSimulator
from streams.simulators.local import DEADLINE_MS, LIMITS, LocalSimulator
from streams.simulators.report import Reporter


class _Closeable(Protocol):
    def close(self) -> None: ...


Closes = TypeVar("Closes", bound=_Closeable)


@dataclass(slots=True)
class Parts:
    """Everything a node is made of."""

    folder: Folder
    inbox: SqliteLog
    runner: EmbeddedRunner
    ledger_service: LedgerService
    attestor: Attestor
    simulations: Simulations
    opened: ExitStack

    def start(self) -> None:
        """Prove the state against the ledger, then recover and attest.

        1. Load state, registry and vault events. 2. Halt if the state is older than the outcomes.
        3. Finish what the last process had pinned. 4. Attest this boot.
        *Wherever the process ends, the next start repeats all of it, and 3 makes the same bytes
        again.*
        """
        # 1. Only reads.
        self.runner.load()
        slot = self.runner.slot
        # 2. The log's own outcomes come first, so that state from an older backup is detected.
        self.ledger_service.catch_up()
        keys = all_signer_keys_since(slot.registry, slot.state.registry_sequence)
        accounts = sorted(slot.registry.accounts)
        newest = self.ledger_service.answers.outcomes.newest_sequences(accounts, keys)
        slot.check_not_behind(newest)
        # 3. If the process ends here, outcomes that are not published stay pinned for the next
        # start.
        self.runner.recover()
        # 4. New outcomes name this boot; recovered ones keep the boot that pinned them.
        slot.attest(self.attestor.boot(slot.registry))

    def reader(self) -> PipelineLog:
        """Open a second connection to the pipeline's log, for reading in another thread."""
        return PipelineLog(self.folder.pipeline, self.runner.pipeline.partitions)

    def close(self) -> None:
        """Close every part."""
        self.opened.close()


def assemble(folder: Folder, on_commit: OnCommit) -> Parts:
    """Open a folder's parts; the caller owns the folder.

    Raises ``FolderError``, ``LogError``, ``CustodyError``, ``LedgerError``,
    ``StateIntegrityError``, ``SettingsError``, ``CollectionError``, and closes all parts then.
    """
    trust = folder.trust()
    folder.refuse_published()
    ensure_local_holders(folder)
    signer_keys = open_signer_keys(folder)
    ledger_key = load_key_file(folder.key(LEDGER), LEDGER)
    simulator_key = load_key_file(folder.key(SIMULATOR), SIMULATOR)
    with ExitStack() as opened:

        def keep(part: Closes) -> Closes:
            return opened.enter_context(closing(part))

        inbox = keep(SqliteLog(folder.inbox, trust.partitions))
        appended = keep(SqliteLog(folder.inbox, trust.partitions))
        pipeline = keep(PipelineLog(folder.pipeline, trust.partitions))
        registry = Registry(trust.trust_root)
        ledger_service = keep(
            LedgerService(folder, trust, ledger_key, registry.signer_keys, wall_ms)
        )
        simulator = GuardedSimulator(keep(LocalSimulator(folder.genesis, LIMITS)), boot_ms)
        recorded = ledger_service.answers.outcomes
        clock = SteadyClock(wall_ms, boot_ms)
        slot = make_slot(signer_keys, registry, pipeline, SLOT, recorded, clock.now_ms)
        keep(slot)
        runner = EmbeddedRunner(
            inbox=inbox,
            pipeline=pipeline,
            slot=slot,
            clock=clock,
            simulate=Reporter(simulator, simulator_key, wall_ms, DEADLINE_MS),
            on_commit=on_commit,
        )
        attestor = _attestor(signer_keys, trust, opened)
        simulations = keep(Simulations(folder.genesis))
        return Parts(
            folder, appended, runner, ledger_service, attestor, simulations, opened.pop_all()
        )


def _attestor(signer_keys: SignerKeys, trust: Trust, opened: ExitStack) -> Attestor:
    settings = load(EmbeddedSettings, None).attestation
    slots = [int(SLOT)]
    bound = configuration(settings, trust, slots, ledger_required=True, head_required=False)
    return open_attestor(settings, signer_keys.identity, trust, bound, opened)
