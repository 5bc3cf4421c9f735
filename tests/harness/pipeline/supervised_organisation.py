"""An organisation on its own brokers, with a supervisor that restarts its processes."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from signer.custody.event_signing import Ed25519Signer
from tests.harness.broker.servers import kafka_in, running
from tests.harness.pipeline.embedded import Producer
from tests.harness.pipeline.scaled import Scaled, organisation_on
from tests.harness.pipeline.supervisor import Supervisor, supervised
from tools.local.kafka import Kafka


class SupervisedOrganisation(NamedTuple):
    """The brokers, the organisation, its agent, and the supervisor of its processes."""

    kafka: Kafka
    scaled: Scaled
    trader: Producer
    supervisor: Supervisor


@contextmanager
def supervised_organisation(path: Path, *, nodes: int = 1) -> Iterator[SupervisedOrganisation]:
    """Start brokers, processes and supervisor; all end with the block."""
    trader = Producer(Ed25519Signer("trader", secrets.token_bytes(32)))
    with (
        running(lambda: kafka_in(path / "kafka", nodes=nodes), path / "kafka") as kafka,
        organisation_on(kafka, path, [trader.signer]) as scaled,
        supervised(scaled) as supervisor,
    ):
        yield SupervisedOrganisation(kafka, scaled, trader, supervisor)
