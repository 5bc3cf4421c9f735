"""The node that owns a data folder: pipeline, ledger and API in one process."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from shutil import disk_usage

from schemas.record import Outgoing
from sixgate.answers.outcome_notifications import OutcomeNotifications
from sixgate.backends.embedded import embedded_backend
from sixgate.backends.operations import Operations
from sixgate.config.embedded import EmbeddedSettings
from sixgate.config.loading import load
from sixgate.data_folder.folder import Folder
from sixgate.intents.intake import Intake
from sixgate.services.embedded.early_answers import EarlyAnswers
from sixgate.services.embedded.pipeline import Pipeline
from sixgate.services.embedded.signed_feed import SignedFeed


class Node(Operations):
    """The ``Api`` of a folder, with the pipeline that it uses."""

    def __init__(self, folder: Folder) -> None:
        self._ends = OutcomeNotifications()
        self._signed = SignedFeed()
        self.pipeline = Pipeline(folder, self._committed)
        backend = embedded_backend(self.pipeline, self._ends, self._signed)
        settings = load(EmbeddedSettings, None).intake
        self.intake = Intake(settings, partial(disk_usage, folder.path))
        self._early = EarlyAnswers(self.pipeline, self.intake, backend.outcomes)
        super().__init__(backend, self._early)
        self.registered = self.pipeline.slot.registry

    def wait(self, stop: threading.Event) -> None:
        """Run until ``stop`` is set; raise the error that halted the pipeline, if any."""
        self.pipeline.wait(stop)

    def record_refused(self) -> None:
        """Record the counts of refused intents that no minute's end recorded."""
        self._early.record_refused()

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
        node.record_refused()
    finally:
        node.pipeline.stop()
