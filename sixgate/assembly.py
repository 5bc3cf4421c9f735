"""The composition root of the embedded pipeline: the one place that knows every concrete part."""

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from signer.registry import Registry
from sixgate.books import Books
from sixgate.clocks import boot_ms, wall_ms
from sixgate.folder import LEDGER, SIMULATOR, SLOT, Folder
from sixgate.keyfiles import load_key_file
from sixgate.slots import make_slot, open_signer_keys
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from streams.runners.clock import SteadyClock
from streams.runners.embedded import EmbeddedRunner, OnCommit
from streams.simulators.local import LocalSimulator
from streams.simulators.pool import PoolLimits
from streams.simulators.report import Reporter

SIMULATION_MS_MAX = 2_000
LIMITS = PoolLimits(workers_max=2, timeout_ms=500)


class _Closeable(Protocol):
    def close(self) -> None: ...


Closes = TypeVar("Closes", bound=_Closeable)


@dataclass(slots=True)
class Parts:
    """Everything a node is made of."""

    folder: Folder
    inbox: SqliteLog
    runner: EmbeddedRunner
    books: Books
    opened: ExitStack

    def start(self) -> None:
        """Prove the state against the ledger, then let the runner finish earlier work."""
        self.runner.load()
        stage = self.runner.stage
        self.books.catch_up()  # with the log's own outcomes, so that a part put back is seen
        newest = self.books.answers.outcomes.newest_sequences(sorted(stage.registry.accounts))
        stage.memory.check_not_behind(newest)
        self.runner.recover()

    def reader(self) -> PipelineLog:
        """Open the pipeline's log once more, for reading in another thread."""
        return PipelineLog(self.folder.pipeline, self.runner.pipeline.partitions)

    def close(self) -> None:
        """Close every part."""
        self.opened.close()


def assemble(folder: Folder, on_commit: OnCommit) -> Parts:
    """Open a folder's parts; the caller owns the folder.

    Raises ``FolderError``, ``LogError``, ``CustodyError``, ``LedgerError``, ``StateDamaged``;
    then nothing stays open.
    """
    trust = folder.trust()
    folder.refuse_published()
    held = open_signer_keys(folder)
    ledger_key = load_key_file(folder.key(LEDGER), LEDGER)
    simulator_key = load_key_file(folder.key(SIMULATOR), SIMULATOR)
    with ExitStack() as opened:

        def keep(part: Closes) -> Closes:
            return opened.enter_context(closing(part))

        inbox = keep(SqliteLog(folder.inbox, trust.partitions))
        appended = keep(SqliteLog(folder.inbox, trust.partitions))
        pipeline = keep(PipelineLog(folder.pipeline, trust.partitions))
        registry = Registry(trust.trust_root)
        books = keep(Books(folder, trust, ledger_key, registry.signer_keys, wall_ms))
        simulator = keep(LocalSimulator(folder.genesis, LIMITS))
        has_outcome = books.answers.outcomes.has_outcome
        slot = make_slot(held, registry, pipeline, SLOT, has_outcome)
        keep(slot.operations.keychain)
        runner = EmbeddedRunner(
            inbox=inbox,
            pipeline=pipeline,
            slot=slot,
            clock=SteadyClock(wall_ms, boot_ms),
            simulate=Reporter(simulator, simulator_key, wall_ms, SIMULATION_MS_MAX),
            on_commit=on_commit,
        )
        return Parts(folder, appended, runner, books, opened.pop_all())
