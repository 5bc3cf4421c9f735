"""Writes ``docs/benchmarks.md``: one section per command; other commands' sections stay."""

import json
import os
import platform
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure

DOCS = Path(__file__).parents[1] / "docs"
_HEAD = """# Benchmarks

Each figure is compared with its peer in the same run; values are medians of interleaved rounds
after a warm-up. The bounds are goals: no test depends on a timing. The peer eth-account signs with
its coincurve backend and a C keccak (pysha3), like the script that a user would write instead.
"""


def save(
    command: str, figures: list[Figure], notes: str, docs: Path = DOCS, *, complete: bool = True
) -> None:
    """Replace one command's figures in ``benchmarks.json`` and on the page generated from it.

    If the run is not ``complete``, only the measured groups are replaced.
    """
    file = docs / "benchmarks.json"
    known: dict[str, Any] = json.loads(file.read_bytes()) if file.exists() else {}
    former = known.get(command, {"figures": []})["figures"]
    known[command] = {
        "machine": _machine(),
        "notes": notes,
        "figures": _merged([] if complete else former, [figure.plain() for figure in figures]),
    }
    file.write_text(json.dumps(known, indent=1) + "\n")
    sections = (_section(name, one) for name, one in sorted(known.items()))
    (docs / "benchmarks.md").write_text("\n".join([_HEAD, *sections]))


def _merged(former: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the figures sorted by group, in the order in which groups were first measured."""
    again = {one["group"] for one in found}
    kept = [one for one in former if one["group"] not in again]
    groups = list(dict.fromkeys(one["group"] for one in [*former, *found]))
    return sorted([*kept, *found], key=lambda one: groups.index(one["group"]))


def row(figure: Figure) -> str:
    """Return a figure as a row of the page."""
    value, peer = _number(figure.value), _number(figure.peer_value)
    held = "yes" if figure.holds else "**no**"
    return (
        f"| {figure.group} | {figure.what} | {value} {figure.unit} | {figure.peer}: {peer} "
        f"{figure.unit} | {figure.bound} | {held} |"
    )


def _section(command: str, measured: dict[str, Any]) -> str:
    rows = "\n".join(row(Figure(**one)) for one in measured["figures"])
    return f"""## `{command}`
{measured["notes"]}

Machine: {measured["machine"]}.

| group | what | figure | peer | bound | holds |
|---|---|---|---|---|---|
{rows}
"""


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), "unknown")
    python, linux = platform.python_version(), platform.release()
    return f"{model}, {os.cpu_count()} cores, Python {python}, Linux {linux}"
