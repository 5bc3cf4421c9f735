"""One pipeline with a projection per test."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness.pipeline.read_rig import ReadRig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ReadRig]:
    with closing(ReadRig(tmp_path / "data")) as made:
        yield made
