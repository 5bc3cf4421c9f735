"""A folder's pipeline and ledger, run by two threads; the first failure halts both."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from schemas.record import Outgoing
from schemas.topics import Topic
from signer.stage.slot import Slot
from sixgate.api import ApiError
from sixgate.clocks import boot_ms, wall_ms
from sixgate.data_folder.folder import Folder
from sixgate.data_folder.signer_files import FolderError
from sixgate.services.embedded.assembly import Parts, assemble
from sixgate.services.embedded.loops import Loop
from streams.slow_calls import log_slow

_LOG = logging.getLogger("sixgate.pipeline")
WATCH_S = 0.5
# An insert costs 10 ms regardless of its size, so the ledger gathers rows for this long.
LEDGER_S = 0.25
# While the pipeline is busy, the ledger waits, but at most this long.
LEDGER_LAG_MS_MAX = 5_000


class Pipeline:
    """Steps the runner and the ledger; every method may be called from any thread.

    The runner steps under ``lock``. Registry and keys do not change while a caller holds it.
    """

    def __init__(self, folder: Folder, on_commit: Callable[[Sequence[Outgoing]], None]) -> None:
        self._folder, self._folder_inode = folder, folder.inode()
        self._on_commit = on_commit
        self._after_commit: list[Callable[[], None]] = []
        self.parts: Parts = assemble(folder, self._publish_commit)
        self.lock = threading.RLock()
        self.failure: BaseException | None = None
        self._failed = threading.Event()
        self._inbox_lock = threading.Lock()
        self._append_count = self._commit_count = 0
        self._pipeline_loop = Loop("pipeline", self.step, self._fail)
        self._ledger = Loop("ledger", self._append_to_ledger, self._fail, idle_s=LEDGER_S)
        self._committed: Mapping[str, int] = {}
        self._busy = False
        self._appended_at_ms = boot_ms()

    @property
    def slot(self) -> Slot:
        """The signer's slot, with registry and keys."""
        return self.parts.runner.slot

    def start(self) -> None:
        """Verify the state, recover, then run; raises the error that halts the pipeline."""
        with self._halting_on_error():
            self.parts.start()
        _LOG.info("pipeline.started")
        self._committed = self.slot.state.positions
        self.step()
        self._pipeline_loop.start()
        self._ledger.start()

    def stop(self) -> None:
        """End after the current batch. Without a failure the ledger catches up before."""
        try:
            self._pipeline_loop.stop()
            self._ledger.stop()
            if self.failure is None:
                self.parts.ledger_service.catch_up()
        finally:
            self.parts.close()

    def wait(self, stop: threading.Event) -> None:
        """Wait until ``stop`` is set or the pipeline halts; raise the error that halted it."""
        while not stop.wait(WATCH_S) and not self._failed.is_set():
            pass
        self.check()

    def check(self) -> None:
        """Raise the error that halted the pipeline, if any."""
        if self.failure is not None:
            raise self.failure

    def check_running(self) -> None:
        """Raise ``ApiError`` ``halted`` if the pipeline halted."""
        if self.failure is not None:
            raise ApiError("halted", str(self.failure))

    def step(self) -> int:
        """Step the runner; return how many records it read. A failure halts the node for good.

        A step without records may still commit custody maintenance.
        """
        # After a failure in mid-batch, memory and log may differ: only a new start may go on.
        self.check_running()
        with self.lock, self._halting_on_error():
            self._folder.check_not_replaced(self._folder_inode)
            with log_slow(_LOG, "pipeline.batch_slow"):
                read = self.parts.runner.step()
        self._busy = read > 0
        return read

    def append(self, events: Sequence[Outgoing]) -> None:
        """Append events to the inbox, durable on return."""
        self.check_running()
        with self._inbox_lock:
            self.parts.inbox.append(events, wall_ms())
            self._append_count += 1

    def publish(self, events: Sequence[Outgoing]) -> None:
        """Append events outside a batch to the pipeline's log, durable on return."""
        self.check_running()
        with self.lock, self._halting_on_error():
            self.parts.runner.publish(events)

    def log_version(self) -> tuple[int, int]:
        """Return a value that changes with each append to the inbox and each commit.

        Only this process writes the files, so a read need not ask them whether they changed.
        """
        return self._append_count, self._commit_count

    def waiting(self) -> int:
        """Return how many submitted records in the inbox no committed batch includes yet."""
        inbox, positions = self.parts.inbox, self._committed
        with self._inbox_lock:
            return sum(
                inbox.end(Topic.SUBMITTED, partition)
                - positions.get(f"{Topic.SUBMITTED}/{partition}", 0)
                for partition in range(inbox.partitions_of(Topic.SUBMITTED))
            )

    @contextmanager
    def calling(self, after_commit: Callable[[], None]) -> Iterator[None]:
        """Call a function after each commit with outcomes in the block; it must not block or raise.

        An earlier commit pins the allocations. A call then would wake a thread that competes with
        the signer.
        """
        with self.lock:
            self._after_commit.append(after_commit)
        try:
            yield
        finally:
            with self.lock:
                self._after_commit.remove(after_commit)

    def wake(self) -> None:
        """Wake the pipeline: the inbox has new records."""
        self._pipeline_loop.wake()

    def settle(self) -> None:
        """Let the ledger catch up with everything that is committed; a failure halts the node."""
        self.check_running()
        try:
            self.parts.ledger_service.catch_up()
        except BaseException as error:
            self._fail(error)
            raise

    def _publish_commit(self, events: Sequence[Outgoing]) -> None:
        # First, so that a caller that learns its outcome no longer sees its record as waiting.
        self._committed = self.slot.state.positions
        self._commit_count += 1
        self._on_commit(events)
        if any(event.topic is Topic.OUTCOMES for event in events):
            for call in self._after_commit:
                call()

    def _append_to_ledger(self) -> int:
        if self.failure is None and not self._yields_to_pipeline():
            self._appended_at_ms = boot_ms()
            self.parts.ledger_service.step()
        # Never a count, so that the loop sleeps after each step and rows gather meanwhile.
        return 0

    def _yields_to_pipeline(self) -> bool:
        return self._busy and boot_ms() - self._appended_at_ms < LEDGER_LAG_MS_MAX

    @contextmanager
    def _halting_on_error(self) -> Iterator[None]:
        """Halt on any error in the block: nothing more is decided or recorded after it."""
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
        """Return the folder's removal as the cause if it was removed, else the error itself."""
        try:
            self._folder.check_not_replaced(self._folder_inode)
        except FolderError as removed:
            return removed
        return error
