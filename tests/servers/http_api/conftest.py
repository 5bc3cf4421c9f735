"""One server per test file that gets every request of it."""

from collections.abc import Iterator

import pytest

from tests.harness.builders.http_server import Attacked, EchoApp, served


@pytest.fixture(scope="module")
def attacked() -> Iterator[Attacked]:
    app = EchoApp()
    with served(app, head_s_max=60, body_s_max=60) as address:
        yield Attacked(address, app)
