"""Fixtures: an organisation on the worker's servers, with and without a ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.pipeline.embedded import Producer, make_folder
from tests.harness.pipeline.scaled import Scaled, organisation, without_ledger


@pytest.fixture
def scaled(tmp_path: Path, trader: Producer) -> Iterator[Scaled]:
    with without_ledger(make_folder(tmp_path / "data", [trader.signer])) as scaled:
        yield scaled


@pytest.fixture
def scaled_with_ledger(tmp_path: Path, trader: Producer) -> Iterator[Scaled]:
    with organisation(tmp_path, [trader.signer]) as scaled:
        yield scaled
