"""Progress of a process: detects partitions that have lag and do not advance."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.kafka.reader import PartitionLag


@dataclass(slots=True)
class Progress:
    """Lag of each partition, and since when its position has not advanced."""

    lags: dict[str, int] = field(default_factory=dict)
    _positions: dict[str, int] = field(default_factory=dict)
    _since_s: dict[str, float] = field(default_factory=dict)

    def update(self, partitions: Iterable[PartitionLag], now_s: float) -> None:
        """Record the current position and end of all partitions."""
        now = {one.label: one for one in partitions}
        for partition in self._positions.keys() - now.keys():
            self._forget(partition)
        for partition, position, end in now.values():
            lag = max(0, end - position)
            if lag == 0 or self._positions.get(partition) != position:
                self._since_s[partition] = now_s
            self.lags[partition], self._positions[partition] = lag, position

    def stalled_s(self, now_s: float) -> float:
        """Return how long the slowest partition with lag has not advanced; 0 without lag."""
        waiting = [now_s - self._since_s[partition] for partition, lag in self.lags.items() if lag]
        return max(waiting, default=0.0)

    def _forget(self, partition: str) -> None:
        """Drop a partition that was reassigned to another process."""
        for known in (self.lags, self._positions, self._since_s):
            known.pop(partition, None)
