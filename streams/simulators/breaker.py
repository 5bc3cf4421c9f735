"""Circuit breaker of a simulator; pure.

- Closed: the simulator is called. After some failures in a row: half open.
- Half open: one probe that every simulator can answer. Success: closed. Failure: open.
- Open: no calls for a while, then half open.

Agents choose the simulated calls, so failing calls alone must not open it: one agent could deny
simulations to all others. Only a probe opens it, and agents do not influence probes. Pattern:
Nygard, Release It!, Circuit Breaker.
"""

from dataclasses import dataclass, replace
from enum import IntEnum


class State(IntEnum):
    """The state of a breaker; the numbers are the values of the metric."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class BreakerLimits:
    """The failures in a row before a probe, and how long the breaker stays open."""

    failed_count_max: int = 5
    open_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class Breaker:
    """The record of one simulator; times come from one monotonic clock."""

    limits: BreakerLimits = BreakerLimits()
    failed_count: int = 0
    opened_at_ms: int | None = None

    def state(self, now_ms: int) -> State:
        """Return whether to call the simulator, probe it, or do neither."""
        if self.failed_count < self.limits.failed_count_max:
            return State.CLOSED
        if self.opened_at_ms is None or now_ms - self.opened_at_ms >= self.limits.open_ms:
            return State.HALF_OPEN
        return State.OPEN

    def called(self, *, failed: bool) -> "Breaker":
        """Record the result of one call."""
        return replace(self, failed_count=self.failed_count + 1) if failed else Breaker(self.limits)

    def probed(self, now_ms: int, *, failed: bool) -> "Breaker":
        """Record the result of a probe."""
        return replace(self, opened_at_ms=now_ms) if failed else Breaker(self.limits)
