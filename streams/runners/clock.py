"""A wall clock that halts the process instead of returning a wrong time."""

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
    """Compares the wall clock with the time since boot, which no administrator can set.

    ``wall_ms`` counts from 1970; ``boot_ms`` counts from any fixed moment, also during suspension.
    """

    wall_ms: Milliseconds
    boot_ms: Milliseconds
    last_ms: int = 0
    _offset_ms: int = field(init=False)

    def __post_init__(self) -> None:
        self._offset_ms = self.wall_ms() - self.boot_ms()

    def now_ms(self) -> int:
        """Return the time, never less than the last time; raise ``ClockError`` if it jumped."""
        now_ms = self.wall_ms()
        drift_ms = now_ms - self.boot_ms() - self._offset_ms
        if abs(drift_ms) > DISAGREEMENT_MS_MAX:
            raise ClockError(_message(f"jumped by {drift_ms} ms"))
        # ``last_ms`` is loaded from the state, so this also detects a clock that was set back
        # while the process was down. Steps of up to a second are normal NTP corrections.
        if now_ms < self.last_ms - BACKWARD_MS_MAX:
            raise ClockError(_message(f"is {self.last_ms - now_ms} ms behind the last decision"))
        self.last_ms = max(now_ms, self.last_ms)
        return self.last_ms


def _message(problem: str) -> str:
    return f"the clock {problem}: set it right, then start again; nothing was processed"
