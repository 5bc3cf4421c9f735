from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.harness.builders.key_desk import Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    with closing(desk.keychain):
        yield desk
