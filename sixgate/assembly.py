"""The composition root of the embedded pipeline: the one place that knows every concrete part."""

import secrets
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Protocol, TypeVar

from signer.custody.kms.local import LocalKms
from signer.custody.kms.root_file import load_root_file
from signer.keychain import Keychain
from signer.keys import KeyRegister
from signer.memory import Memory
from signer.registry import Registry
from signer.stage import SigningStage
from signer.state import Sealer
from sixgate.books import Books
from sixgate.folder import LEDGER, SIMULATOR, SLOT, Folder
from sixgate.identity import open_identity
from sixgate.keyfiles import load_key_file
from streams.log.pipeline import PipelineLog
from streams.log.sqlite import SqliteLog
from streams.runners.clock import SteadyClock
from streams.runners.embedded import EmbeddedRunner, OnCommit
from streams.runners.operations import Operations
from streams.runners.slot import Slot
from streams.simulators.local import LocalSimulator
from streams.simulators.pool import PoolLimits
from streams.simulators.report import Reporter

SIMULATION_MS_MAX = 2_000
LIMITS = PoolLimits(workers_max=2, timeout_ms=500)


class _Closeable(Protocol):
    def close(self) -> None: ...


Closes = TypeVar("Closes", bound=_Closeable)


def wall_ms() -> int:
    """Return milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def boot_ms() -> int:
    """Return milliseconds since boot, suspension included."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


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
        newest = self.books.newest_sequences(sorted(stage.registry.accounts))
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
    kms = LocalKms(load_root_file(folder.root_key), secrets.token_bytes)
    identity, state_key = open_identity(folder, kms)
    ledger_key = load_key_file(folder.key(LEDGER), LEDGER)
    simulator_key = load_key_file(folder.key(SIMULATOR), SIMULATOR)
    registry, keys = Registry(trust.trust_root), KeyRegister()
    with ExitStack() as opened:

        def keep(part: Closes) -> Closes:
            return opened.enter_context(closing(part))

        inbox = keep(SqliteLog(folder.inbox, trust.partitions))
        appended = keep(SqliteLog(folder.inbox, trust.partitions))
        pipeline = keep(PipelineLog(folder.pipeline, trust.partitions))
        books = keep(Books(folder, trust, (ledger_key, identity.public_key), wall_ms))
        keychain = keep(Keychain(kms, registry, keys, secrets.token_bytes, boot_ms))
        simulator = keep(LocalSimulator(folder.genesis, LIMITS))
        memory = Memory(pipeline, Sealer(state_key), SLOT)
        runner = EmbeddedRunner(
            inbox=inbox,
            pipeline=pipeline,
            slot=Slot(
                SigningStage(identity, registry, keys, memory, keychain.use, books.has_outcome),
                Operations(identity, registry, keys, keychain),
            ),
            clock=SteadyClock(wall_ms, boot_ms),
            simulate=Reporter(simulator, simulator_key, wall_ms, SIMULATION_MS_MAX),
            on_commit=on_commit,
        )
        return Parts(folder, appended, runner, books, opened.pop_all())
