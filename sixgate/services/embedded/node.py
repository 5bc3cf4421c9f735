"""The node that owns a data folder: pipeline, ledger and API in one process."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from schemas.record import Outgoing
from sixgate.answers.outcome_notifications import OutcomeNotifications
from sixgate.backends.embedded import embedded_backend
from sixgate.backends.operations import Operations
from sixgate.data_folder.folder import Folder
from sixgate.services.embedded.pipeline import Pipeline
from sixgate.services.embedded.signed_feed import SignedFeed


class Node(Operations):
    """The ``Api`` of a folder, with the pipeline that it uses."""

    def __init__(self, folder: Folder) -> None:
        self._ends = OutcomeNotifications()
        self._signed = SignedFeed()
        self.pipeline = Pipeline(folder, self._committed)
        super().__init__(embedded_backend(self.pipeline, self._ends, self._signed))
        self.registered = self.pipeline.slot.registry

    def wait(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set; raise the error that halted the pipeline, if any."""
        self.pipeline.wait(stop)

    def _committed(self, events: Sequence[Outgoing]) -> None:
        self._ends.publish(events)
        self._signed.committed(events)


@contextmanager
def running(folder: Folder) -> Iterator[Node]:
    """Lend a started node; the caller owns the folder. Raises the error that halts the pipeline."""
    node = Node(folder)
    try:
        node.pipeline.start()
        yield node
        node.pipeline.check()
    finally:
        node.pipeline.stop()
