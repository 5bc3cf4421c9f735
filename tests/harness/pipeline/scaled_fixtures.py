"""Fixtures: an organisation on a broker of its own, with and without a ledger on a server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.broker.servers import kafka_in, running
from tests.harness.pipeline.embedded import Producer, make_folder
from tests.harness.pipeline.scaled import Scaled, organisation


@pytest.fixture
def scaled(tmp_path: Path, trader: Producer) -> Iterator[Scaled]:
    with running(lambda: kafka_in(tmp_path / "kafka"), tmp_path / "kafka") as kafka:
        scaled = Scaled(make_folder(tmp_path / "data", [trader.signer]), kafka.address)
        scaled.found()
        yield scaled
        scaled.close()


@pytest.fixture
def scaled_with_ledger(tmp_path: Path, trader: Producer) -> Iterator[Scaled]:
    with organisation(tmp_path, [trader.signer]) as scaled:
        yield scaled
