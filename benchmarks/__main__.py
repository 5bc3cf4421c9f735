"""Run every benchmark and write ``docs/benchmarks.md`` and ``docs/benchmarks.json``.

python -m benchmarks [--only GROUP] [--curve INTENTS]
"""

import argparse
from collections.abc import Iterable, Iterator

from benchmarks import (
    addresses,
    attestation,
    curve,
    custody,
    deciding,
    ledger,
    messages,
    parts,
    pipeline,
    signing,
)
from benchmarks.measure import Figure
from benchmarks.page import keep, row
from sixgate.gc_tuning import tune

NOTES = """
The embedded pipeline and its parts. The pipeline's figures are taken with the ledger running beside
it in the same process. While the pipeline is busy the ledger lets it go first for up to five
seconds, so after a burst it needs a moment to be level; the curve waits for it after every 1,000
intents. `make soak` shows the curve to the millionth intent.
""".strip()
GROUPS = {
    "addresses": addresses.figures,
    "attestation": attestation.figures,
    "deciding": deciding.figures,
    "signing": signing.figures,
    "messages": messages.figures,
    "custody": custody.figures,
    "parts": parts.figures,
    "pipeline": pipeline.figures,
    "ledger": ledger.figures,
}


def main() -> int:
    """Run, print and write; 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*GROUPS, "curve"])
    parser.add_argument("--curve", type=int, default=20_000, metavar="INTENTS")
    options = parser.parse_args()
    tune()
    figures = list(_shown(_figures(options.only, options.curve)))
    if options.only is None:
        keep("make bench", figures, NOTES)
    return 0 if all(figure.holds for figure in figures) else 1


def _figures(only: str | None, curve_intents: int) -> Iterator[Figure]:
    for name, figures in GROUPS.items():
        if only in (None, name):
            yield from figures()
    if only in (None, "curve"):
        yield curve.figure(curve_intents)


def _shown(figures: Iterable[Figure]) -> Iterator[Figure]:
    for figure in figures:
        print(row(figure), flush=True)
        yield figure


if __name__ == "__main__":
    raise SystemExit(main())
