"""Measures the scaled pipeline on real servers and writes its section of ``docs/benchmarks.md``.

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
from benchmarks.page import DOCS, row, save
from sixgate.services.gc_tuning import tune
from tools.local.processes import PARTITIONS

PARTS = ("latency", "saturation", "restarts")
COMMAND = "make bench-kafka"


def main() -> int:
    """Run, print and write; return 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="run every part with small sizes, as a test"
    )
    parser.add_argument("--docs", type=Path, default=DOCS, metavar="DIR")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, metavar="PART")
    options = parser.parse_args()
    tune()
    sizes = QUICK if options.quick else FULL
    with TemporaryDirectory(prefix="sixgate-bench-", ignore_cleanup_errors=True) as directory:
        figures = list(_printed(_figures(Path(directory), sizes, options.only)))
    complete = set(options.only) == set(PARTS)
    save(COMMAND, figures, _notes(sizes), options.docs, complete=complete)
    return 0 if options.quick or all(figure.holds for figure in figures) else 1


def _figures(path: Path, sizes: Sizes, parts: Collection[str]) -> Iterator[Figure]:
    with organisation(path, sizes.accounts) as org:
        if "latency" in parts:
            yield from latency.figures(org, sizes)
        if "saturation" in parts:
            found = saturation.measure(org, sizes)
            yield from saturation.figures(found)
            yield from costs.figures(org, sizes, found)
            yield from sinking.figures(org, sizes, found.ours.per_s)
        if "restarts" in parts:
            yield from restarts.figures(org, sizes)


def _printed(figures: Iterable[Figure]) -> Iterator[Figure]:
    for figure in figures:
        print(row(figure), flush=True)
        yield figure


def _notes(sizes: Sizes) -> str:
    return f"""
The scaled pipeline on one Kafka broker and one ClickHouse server of this machine, with the
processes that operators run: {sizes.accounts} accounts with one agent and one key each,
{PARTITIONS} partitions in one signer slot, {sizes.rounds} rounds. Its seven hops are six gates in
one process and the signer in another. The peer is a relay with the same number of hops and
processes. A relay "with the same work" runs the same gates, rules and signer but keeps nothing: no
transactions, no state on Kafka, no positions. The pipeline writes every hop's record too, but its
gates pass an intent on before that record is delivered (ADR 11); a relay does not. Latency ends
when a consumer of committed records has the signed transaction. Rates use the broker's timestamps,
without the first and last tenth. Measuring a part again with `--only` replaces its rows.
""".strip()


if __name__ == "__main__":
    raise SystemExit(main())
