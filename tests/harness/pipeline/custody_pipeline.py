"""Consecutive runs of one embedded pipeline over an organisation with every custody mode."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from schemas.record import Outgoing
from schemas.registry.custody import CustodyMode
from schemas.topics import Topic
from streams.log.pipeline import PipelineLog
from streams.runners.clock import SteadyClock
from tests.harness.pipeline.custody_organisation import MODES, CustodyOrganisation
from tests.harness.pipeline.embedded import Pipeline, open_pipeline
from tests.harness.pipeline.embedded_fixtures import ends


def vault_of(pipeline: Pipeline) -> Callable[[], list[bytes]]:
    log = pipeline.runner.pipeline
    return lambda: [r.value for p in range(log.partitions) for r in log.scan(Topic.VAULT, p)]


@contextmanager
def running_pipeline(
    organised: CustodyOrganisation,
    log: type[PipelineLog] = PipelineLog,
    clock: SteadyClock | None = None,
) -> Iterator[Pipeline]:
    pipeline = open_pipeline(organised.folder, clock, log)
    try:
        yield pipeline
    finally:
        pipeline.close()


def send(pipeline: Pipeline, *events: Outgoing) -> list[str]:
    """Append and process; return ``signed`` or the reason of each intent."""
    pipeline.inbox.append(events, 0)
    return ends(pipeline.drain())


def ask_all(organised: CustodyOrganisation, pipeline: Pipeline, key: str) -> dict[CustodyMode, str]:
    """Send one intent per mode; return ``signed`` or the reason of each."""
    vault = vault_of(pipeline)
    return {
        mode: send(pipeline, organised.intent(mode, f"{key}-{mode}", vault))[0] for mode in MODES
    }
