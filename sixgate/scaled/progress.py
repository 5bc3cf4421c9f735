"""Does a process get on with its work? Lag alone says nothing; lag without progress does."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Counts: TypeAlias = Mapping[str, int]


@dataclass(slots=True)
class Progress:
    """What is known of each partition: how much waits, and since when nothing moved."""

    lags: dict[str, int] = field(default_factory=dict)
    _positions: dict[str, int] = field(default_factory=dict)
    _since_s: dict[str, float] = field(default_factory=dict)

    def look(self, positions: Counts, ends: Counts, now_s: float) -> None:
        """Take the positions and ends of all partitions as they are now."""
        for place in self._positions.keys() - positions.keys():
            self._forget(place)
        for place, position in positions.items():
            lag = max(0, ends.get(place, position) - position)
            if lag == 0 or self._positions.get(place) != position:
                self._since_s[place] = now_s
            self.lags[place], self._positions[place] = lag, position

    def stalled_s(self, now_s: float) -> float:
        """Return for how long the slowest partition has had work and has not moved; 0 if none."""
        waiting = [now_s - self._since_s[place] for place, lag in self.lags.items() if lag]
        return max(waiting, default=0.0)

    def _forget(self, place: str) -> None:
        """Drop a partition that another process reads now."""
        for known in (self.lags, self._positions, self._since_s):
            known.pop(place, None)
