"""Cost of an intent, pipeline and ledger together, as the data folder grows.

python -m benchmarks.curve --intents 1000000
"""

import argparse
import statistics
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import fixtures
from benchmarks.measure import MICRO, Figure, seconds
from benchmarks.pipeline import record_of, submit
from sixgate.services.embedded.node import running
from sixgate.services.gc_tuning import tune

CHUNK = 1_000
POINTS_PER_DECADE = (1, 2, 5)
NEIGHBOURS = 5
GROWTH_MAX = 1.5


def points(intents: int) -> Iterator[tuple[int, float]]:
    """Submit ``intents`` and yield pairs: number of earlier intents, µs per intent."""
    agent = fixtures.new_agent()
    records = map(record_of, fixtures.signed(agent, map(str, range(intents))))
    marks, costs = _marks(intents), []
    with TemporaryDirectory() as directory:
        folder = fixtures.make_folder(Path(directory) / "data", agent)
        with running(folder) as node:
            for before in range(0, intents, CHUNK):
                chunk = list(islice(records, CHUNK))

                def work(chunk: list[dict[str, str]] = chunk) -> None:
                    submit(node, chunk)
                    node.pipeline.settle()

                costs.append(seconds(work) / len(chunk) * MICRO)
                if before in marks:
                    yield before, statistics.median(costs[-NEIGHBOURS:])


def figure(intents: int) -> Figure:
    """Return the row that compares the end of the curve with its start."""
    curve = list(points(intents))
    (_, first), (before, last) = curve[0], curve[-1]
    shown = ", ".join(f"{count:,}: {cost:.0f}" for count, cost in curve)
    return Figure(
        "curve",
        f"µs per intent, pipeline and ledger, by number of earlier intents: {shown}",
        last,
        "µs",
        f"after {curve[0][0]:,}",
        first,
        f"at most {GROWTH_MAX} x the first, after {before:,}",
        last <= GROWTH_MAX * first,
    )


def _marks(intents: int) -> set[int]:
    decades = range(len(str(intents)))
    marks = {step * 10**decade for decade in decades for step in POINTS_PER_DECADE}
    return {mark for mark in marks if CHUNK * NEIGHBOURS <= mark < intents} | {intents - CHUNK}


def main() -> None:
    """Print each point of the curve when it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--intents", type=int, default=20_000)
    tune()
    for before, cost in points(parser.parse_args().intents):
        print(f"{before:>10,} earlier intents: {cost:7.0f} µs per intent", flush=True)


if __name__ == "__main__":
    main()
