"""Fixtures for key releases: stand-ins of the clouds' KMSs, and the worker's broker, no topics."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from streams.kafka.broker import Broker
from tests.harness.broker.ledger_kafka import own_broker

if TYPE_CHECKING:
    from tests.harness.kms.peers import Peers


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Peers"]:
    from tests.harness.kms.peers import Peers  # noqa: PLC0415 - loads gRPC, which few need

    with Peers(tmp_path_factory.mktemp("peers")) as running:
        yield running


@pytest.fixture(scope="module")
def release_broker() -> Iterator[Broker]:
    with own_broker() as broker:
        yield broker
