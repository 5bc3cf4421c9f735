"""Measure the scaled pipeline on real servers; write its section of ``docs/benchmarks.md``.

python -m benchmarks.kafka [--quick] [--docs DIR] [--only PART ...]
"""

import argparse
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.kafka import costs, latency, restarts, saturation, sinking
from benchmarks.kafka.organisation import organisation
from benchmarks.kafka.sizes import FULL, QUICK, Sizes
from benchmarks.measure import Figure
from benchmarks.page import DOCS, keep, row
from infra.local.processes import PARTITIONS
from sixgate.gc_tuning import tune

PARTS = ("latency", "saturation", "restarts")
COMMAND = "make bench-kafka"


def main() -> int:
    """Run, print and write; 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every part, small: no measurement")
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="DIR")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, metavar="PART")
    said = parser.parse_args()
    tune()
    sizes = QUICK if said.quick else FULL
    with TemporaryDirectory(prefix="sixgate-bench-", ignore_cleanup_errors=True) as directory:
        figures = list(_shown(_figures(Path(directory), sizes, said.only)))
    keep(COMMAND, figures, _notes(sizes), said.docs, whole=set(said.only) == set(PARTS))
    return 0 if said.quick or all(figure.holds for figure in figures) else 1


def _figures(path: Path, sizes: Sizes, wanted: Collection[str]) -> Iterator[Figure]:
    with organisation(path, sizes.accounts) as org:
        if "latency" in wanted:
            yield from latency.figures(org, sizes)
        if "saturation" in wanted:
            found = saturation.measure(org, sizes)
            yield from saturation.figures(found)
            yield from costs.figures(org, sizes, found)
            yield from sinking.figures(org, sizes, found.ours.per_s)
        if "restarts" in wanted:
            yield from restarts.figures(org, sizes)


def _shown(figures: Iterable[Figure]) -> Iterator[Figure]:
    for figure in figures:
        print(row(figure), flush=True)
        yield figure


def _notes(sizes: Sizes) -> str:
    return f"""
The scaled pipeline on one Kafka broker and one ClickHouse server of this machine, with the
processes that operators run: {sizes.accounts} accounts, an agent and a key each, over {PARTITIONS}
partitions, which one signer has as one slot; {sizes.rounds} rounds. Its seven hops are six gates in
one process and the signer in another; a relay has as many hops in as many processes. One that does
the same work calls the same gates, rules and signer and keeps nothing: no transactions, no state on
Kafka, no positions. The pipeline writes every hop's record too, but its gates lead an intent on
before the record is delivered (ADR 11), which a relay does not. Latencies end when a consumer of
committed records has the signed transaction; rates are those of the broker's own times, without the
first and last tenth. A part that is measured again alone (`--only`) replaces its groups of rows.
""".strip()


if __name__ == "__main__":
    raise SystemExit(main())
