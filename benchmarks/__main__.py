"""Runs every benchmark and writes ``docs/benchmarks.md`` and ``docs/benchmarks.json``.

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
from benchmarks.http import figures as http
from benchmarks.measure import Figure
from benchmarks.page import row, save
from sixgate.services.gc_tuning import tune

NOTES = """
The embedded pipeline and its parts. Pipeline figures include the ledger, which runs in the same
process. The ledger yields to a busy pipeline for up to five seconds, so after a burst it has to
catch up; the curve waits for that after every 1,000 intents. `make soak` extends the curve to one
million intents. Reads over HTTP are counted per CPU second of the server's process; `make
soak-http` adds idle connections and slow readers. Measuring a group again with `--only` replaces
its rows.
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
    "http": http.figures,
}


def main() -> int:
    """Run, print and write; return 1 if a bound does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[*GROUPS, "curve"])
    parser.add_argument("--curve", type=int, default=20_000, metavar="INTENTS")
    options = parser.parse_args()
    tune()
    figures = list(_printed(_figures(options.only, options.curve)))
    save("make bench", figures, NOTES, complete=options.only is None)
    return 0 if all(figure.holds for figure in figures) else 1


def _figures(only: str | None, curve_intents: int) -> Iterator[Figure]:
    for name, figures in GROUPS.items():
        if only in (None, name):
            yield from figures()
    if only in (None, "curve"):
        yield curve.figure(curve_intents)


def _printed(figures: Iterable[Figure]) -> Iterator[Figure]:
    for figure in figures:
        print(row(figure), flush=True)
        yield figure


if __name__ == "__main__":
    raise SystemExit(main())
