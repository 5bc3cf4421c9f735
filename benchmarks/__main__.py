"""Run every benchmark and write ``docs/benchmarks.md`` and ``docs/benchmarks.json``.

python -m benchmarks [--only GROUP] [--curve INTENTS]
"""

import argparse
import json
import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

from benchmarks import curve, deciding, ledger, parts, pipeline
from benchmarks.measure import Figure
from sixgate.interpreter import tune

DOCS = Path(__file__).parents[1] / "docs"
GROUPS = {
    "deciding": deciding.figures,
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
        (DOCS / "benchmarks.md").write_text(_page(figures))
        (DOCS / "benchmarks.json").write_text(
            json.dumps([f.plain() for f in figures], indent=1) + "\n"
        )
    return 0 if all(figure.holds for figure in figures) else 1


def _figures(only: str | None, curve_intents: int) -> Iterator[Figure]:
    for name, figures in GROUPS.items():
        if only in (None, name):
            yield from figures()
    if only in (None, "curve"):
        yield curve.figure(curve_intents)


def _shown(figures: Iterable[Figure]) -> Iterator[Figure]:
    for figure in figures:
        print(_row(figure), flush=True)
        yield figure


def _row(figure: Figure) -> str:
    value, peer = _number(figure.value), _number(figure.peer_value)
    held = "yes" if figure.holds else "**no**"
    return (
        f"| {figure.group} | {figure.what} | {value} {figure.unit} | {figure.peer}: {peer} "
        f"{figure.unit} | {figure.bound} | {held} |"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _page(figures: list[Figure]) -> str:
    rows = "\n".join(_row(figure) for figure in figures)
    return f"""# Benchmarks

`make bench` measures everything on this page in one run and writes it. Each figure stands beside
its peer from the same run; medians of interleaved rounds after a warm-up. The bounds are goals: no
test passes or fails by a timing.

Machine: {_machine()}, {os.cpu_count()} cores, Python {platform.python_version()},
Linux {platform.release()}. The peer eth-account signs with its coincurve backend and a C keccak
(pysha3): the script everyone writes, without any limit.

| group | what | figure | peer | bound | holds |
|---|---|---|---|---|---|
{rows}

The pipeline's figures are taken with the ledger running beside it in the same process. While the
pipeline is busy the ledger lets it go first for up to five seconds, so after a burst it needs a
moment to be level; the curve waits for it after every 1,000 intents. `make soak` shows the curve to
the millionth intent.
"""


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")


if __name__ == "__main__":
    raise SystemExit(main())
