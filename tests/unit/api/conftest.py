"""One running API per test file: a node takes a second to start."""

from collections.abc import Iterator

import pytest

from tests.harness.api import Api, running_api


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("api") / "data") as running:
        yield running
