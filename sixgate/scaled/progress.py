"""Progress of a process: detects partitions that have lag and do not advance."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.kafka.reader import Waiting


@dataclass(slots=True)
class Progress:
    """What is known of each partition: how much waits, and since when nothing moved."""

    lags: dict[str, int] = field(default_factory=dict)
    _positions: dict[str, int] = field(default_factory=dict)
    _since_s: dict[str, float] = field(default_factory=dict)

    def update(self, waiting: Iterable[Waiting], now_s: float) -> None:
        """Take how far all partitions are now."""
        now = {one.place: one for one in waiting}
        for place in self._positions.keys() - now.keys():
            self._forget(place)
        for place, position, end in now.values():
            lag = max(0, end - position)
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
