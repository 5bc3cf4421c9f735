"""One served API per test file: a node takes seconds to start."""

from collections.abc import Iterator

import pytest

from tests.harness.client.served_api import Served, serving_agent


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving_agent(tmp_path_factory.mktemp("api")) as found:
        yield found
