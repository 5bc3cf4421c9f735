"""Secret reads in ``sixgate up``: served with the registry and the log of the pipeline."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.record import Outgoing
from signer.secrets.secret_service import SecretService
from sixgate.custody import reading
from sixgate.services.embedded.pipeline import Pipeline


class PipelineReadEnvironment:
    """The ``ReadEnvironment`` of a folder's node."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.actor = pipeline.slot.signer

    @contextmanager
    def current(self) -> Iterator[int]:
        """Let the pipeline read what waits, then hold its lock: the registry is current."""
        with self._pipeline.lock:
            self._pipeline.step()
            yield self._pipeline.slot.now_ms()

    def record(self, event: Outgoing) -> None:
        """Append a record to the pipeline's log, durable on return."""
        self._pipeline.publish([event])


def secret_service(pipeline: Pipeline) -> SecretService:
    """Return the service that reads secrets for a pipeline."""
    operations = pipeline.slot.operations
    return reading.new_secret_service(
        operations.registry, operations.keys, operations.vaults.secret_sealing
    )
