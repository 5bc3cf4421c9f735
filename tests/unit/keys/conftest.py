from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.harness.builders.order_executor import OrderExecutor


@pytest.fixture
def desk() -> Iterator[OrderExecutor]:
    desk = OrderExecutor()
    with closing(desk.keychain):
        yield desk
