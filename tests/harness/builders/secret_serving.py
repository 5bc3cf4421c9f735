"""Where secrets are served in these tests: a real desk, and records that can be lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.record import Outgoing
from tests.harness.builders.cases import NOW_MS

ADDRESS = "192.0.2.7"


@dataclass
class Place:
    """The ``Surroundings`` of a desk; ``unwritable`` is what any record ends in, if it is set."""

    records: list[dict[str, Any]] = field(default_factory=list)
    unwritable: BaseException | None = None
    is_lent: bool = False
    actor: str = "custody-0"

    @contextmanager
    def current(self) -> Iterator[int]:
        assert not self.is_lent
        self.is_lent = True
        try:
            yield NOW_MS
        finally:
            self.is_lent = False

    def record(self, event: Outgoing) -> None:
        if self.unwritable is not None:
            raise self.unwritable
        self.records.append(orjson.loads(event.value))
