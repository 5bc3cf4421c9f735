"""A wall clock that would rather stop than lie."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

DISAGREEMENT_MS_MAX = 30_000
BACKWARD_MS_MAX = 1_000

Milliseconds: TypeAlias = Callable[[], int]


class ClockError(Exception):
    """Time went back or jumped: rolling limits could be bypassed, so nothing is processed."""


@dataclass(slots=True)
class SteadyClock:
    """Checks the wall clock against time since boot, which nobody sets.

    ``wall_ms`` counts from 1970, ``boot_ms`` from any fixed moment and through suspension.
    """

    wall_ms: Milliseconds
    boot_ms: Milliseconds
    last_ms: int = 0
    _offset_ms: int = field(init=False)

    def __post_init__(self) -> None:
        self._offset_ms = self.wall_ms() - self.boot_ms()

    def now_ms(self) -> int:
        """Return the time, never less than last time; raise ``ClockError`` when it jumped."""
        now_ms = self.wall_ms()
        drift_ms = now_ms - self.boot_ms() - self._offset_ms
        if abs(drift_ms) > DISAGREEMENT_MS_MAX:
            raise ClockError(_sentence(f"jumped by {drift_ms} ms"))
        if now_ms < self.last_ms - BACKWARD_MS_MAX:
            raise ClockError(_sentence(f"is {self.last_ms - now_ms} ms behind the last decision"))
        self.last_ms = max(now_ms, self.last_ms)
        return self.last_ms


def _sentence(what: str) -> str:
    return f"the clock {what}: set it right, then start again; nothing was processed"
