"""Timing that tolerates a noisy machine: warm up, interleave, take medians."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

Work: TypeAlias = Callable[[], object]
MICRO = 1e6


@dataclass(frozen=True)
class Figure:
    """One row of the table: a measured value, its peer's value and its bound."""

    group: str
    what: str
    value: float
    unit: str
    peer: str
    peer_value: float
    bound: str
    holds: bool

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def interleaved(works: Mapping[str, Work], rounds: int, calls: int) -> dict[str, float]:
    """Return the median time of one call in microseconds for each work."""
    samples: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            work()
            start = time.perf_counter()
            for _ in range(calls):
                work()
            samples[name].append((time.perf_counter() - start) / calls * MICRO)
    return {name: statistics.median(times) for name, times in samples.items()}


def seconds(work: Work) -> float:
    """Return the duration of one call in seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
