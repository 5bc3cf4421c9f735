"""A folder's pipeline and ledger, kept running by two threads; the first failure ends both."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from schemas.record import Outgoing
from schemas.topics import Topic
from sixgate.api import ApiError
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import Folder, FolderError
from sixgate.embedded.assembly import Parts, assemble
from sixgate.embedded.loops import Loop
from streams.slow_calls import log_slow

_LOG = logging.getLogger("sixgate.pipeline")
WATCH_S = 0.5
# An insert costs 10 ms however few its rows, so the ledger lets them gather for this long.
LEDGER_S = 0.25
# While the pipeline is busy the ledger lets it go first, but not for longer than this.
LEDGER_LAG_MS_MAX = 5_000


class Pipeline:
    """Steps the runner and the ledger; every method may be called from any thread.

    ``lock`` is held while the runner steps: whoever holds it finds registry and keys still.
    """

    def __init__(self, folder: Folder, on_commit: Callable[[Sequence[Outgoing]], None]) -> None:
        self._folder, self._place = folder, folder.place()
        self._on_commit = on_commit
        self.parts: Parts = assemble(folder, self._publish_commit)
        self.lock = threading.RLock()
        self.failure: BaseException | None = None
        self._failed = threading.Event()
        self._inbox_lock = threading.Lock()
        self._gates = Loop("pipeline", self.step, self._fail)
        self._ledger = Loop("ledger", self._append_to_ledger, self._fail, idle_s=LEDGER_S)
        self._committed: Mapping[str, int] = {}
        self._busy = False
        self._appended_at_ms = boot_ms()

    def start(self) -> None:
        """Prove and finish what earlier lives left, then run; raises what halts the pipeline."""
        with self._failing():
            self.parts.start()
        _LOG.info("pipeline.started")
        self._committed = self.parts.runner.stage.memory.slot.positions
        self.step()
        self._gates.start()
        self._ledger.start()

    def stop(self) -> None:
        """End after the current batch, with the ledger caught up unless something failed."""
        try:
            self._gates.stop()
            self._ledger.stop()
            if self.failure is None:
                self.parts.ledger_service.catch_up()
        finally:
            self.parts.close()

    def wait(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set; raise what halted the pipeline if something did."""
        while not stop.wait(WATCH_S) and not self._failed.is_set():
            pass
        self.check()

    def check(self) -> None:
        """Raise what halted the pipeline, if something did."""
        if self.failure is not None:
            raise self.failure

    def check_running(self) -> None:
        """Raise ``ApiError`` ``halted`` for a client, if something halted the pipeline."""
        if self.failure is not None:
            raise ApiError("halted", str(self.failure))

    def step(self) -> int:
        """Step the runner; after a failure it is spent, whoever called, and the node with it."""
        self.check_running()
        with self.lock, self._failing():
            self._folder.check_same(self._place)
            with log_slow(_LOG, "pipeline.batch_slow"):
                read = self.parts.runner.step()
        self._busy = read > 0
        return read

    def append(self, events: Sequence[Outgoing]) -> None:
        """Append to the inbox, durable on return."""
        self.check_running()
        with self._inbox_lock:
            self.parts.inbox.append(events, wall_ms())

    def publish(self, events: Sequence[Outgoing]) -> None:
        """Append what is no part of a batch to the pipeline's log, durable on return."""
        self.check_running()
        with self.lock, self._failing():
            self.parts.runner.publish(events)

    def waiting(self) -> int:
        """Return how many submitted records lie in the inbox behind the last committed batch."""
        inbox, positions = self.parts.inbox, self._committed
        with self._inbox_lock:
            return sum(
                inbox.end(Topic.SUBMITTED, partition)
                - positions.get(f"{Topic.SUBMITTED}/{partition}", 0)
                for partition in range(inbox.partitions_of(Topic.SUBMITTED))
            )

    def wake(self) -> None:
        """Say that the inbox holds something new."""
        self._gates.wake()

    def settle(self) -> None:
        """Let the ledger catch up with all that is committed; a failure spends it for all."""
        self.check_running()
        try:
            self.parts.ledger_service.catch_up()
        except BaseException as error:
            self._fail(error)
            raise

    def _publish_commit(self, events: Sequence[Outgoing]) -> None:
        """Move what is no longer waiting before anybody is told how it ended."""
        self._committed = self.parts.runner.stage.memory.slot.positions
        self._on_commit(events)

    def _append_to_ledger(self) -> int:
        if self.failure is None and not self._yields_to_gates():
            self._appended_at_ms = boot_ms()
            self.parts.ledger_service.step()
        return 0

    def _yields_to_gates(self) -> bool:
        return self._busy and boot_ms() - self._appended_at_ms < LEDGER_LAG_MS_MAX

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Remember what ends the block: after it nothing more is judged, or written down."""
        try:
            yield
        except BaseException as error:
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = self._cause_of(error)
            _LOG.error("pipeline.halted", extra={"error": type(self.failure).__name__})
        self._failed.set()

    def _cause_of(self, error: BaseException) -> BaseException:
        """Return why the folder is gone if it is: then whatever failed, failed for that."""
        try:
            self._folder.check_same(self._place)
        except FolderError as gone:
            return gone
        return error
