from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.harness.builders.order_executor import OrderExecutor


@pytest.fixture
def executor() -> Iterator[OrderExecutor]:
    executor = OrderExecutor()
    with closing(executor.keychain):
        yield executor
