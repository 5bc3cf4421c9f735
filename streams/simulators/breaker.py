"""When a simulator is no longer asked, and when it is asked again; a circuit breaker, pure.

Closed, it is asked. After some failures in a row, half open: one probe asks it something that
every simulator can answer. If it does, closed again; if not, open: nobody asks it for a while, then
half open.

Whoever sends an intent chooses what is simulated, so calls that fail prove nothing: one agent could
take simulations from all others. Only a probe, which nobody but us has a hand in, opens it. Shape
after Nygard, Release It!, Circuit Breaker.
"""

from dataclasses import dataclass, replace
from enum import IntEnum


class State(IntEnum):
    """Whether a simulator is asked; the numbers are what the metric shows."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """After how many failures in a row it is probed, and how long it is left alone then."""

    failed_count_max: int = 5
    open_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is remembered of one simulator; times come from one clock that never goes back."""

    limits: BreakerLimits = BreakerLimits()
    failed_count: int = 0
    opened_at_ms: int | None = None

    def state(self, now_ms: int) -> State:
        """Return whether the simulator is to be asked, probed, or left alone."""
        if self.failed_count < self.limits.failed_count_max:
            return State.CLOSED
        if self.opened_at_ms is None or now_ms - self.opened_at_ms >= self.limits.open_ms:
            return State.HALF_OPEN
        return State.OPEN

    def called(self, *, failed: bool) -> "Breaker":
        """Fold in how one call ended."""
        return replace(self, failed_count=self.failed_count + 1) if failed else Breaker(self.limits)

    def probed(self, now_ms: int, *, failed: bool) -> "Breaker":
        """Fold in how a probe ended."""
        return replace(self, opened_at_ms=now_ms) if failed else Breaker(self.limits)
