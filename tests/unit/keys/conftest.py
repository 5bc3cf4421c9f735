from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.unit.keys.desk import Desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    with closing(desk.keychain):
        yield desk
