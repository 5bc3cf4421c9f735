"""SQL results as a table, or as labelled fields if the table is too wide."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from sixgate.cli.render import Sheet
from sixgate.cli.terminal import rows, table

WIDTH_UNBOUNDED = 1_000_000


def answer_view(
    columns: Sequence[str], found: Iterable[Sequence[object]], out: Console
) -> Table | Sheet:
    """Return a table, or one field per line if the table does not fit."""
    listed = list(found)
    made = rows(table(*columns), listed)
    if len(columns) == 1 or _width(made, out) <= out.width:
        return made
    return Sheet("", list(_fields(columns, listed)))


def _width(made: Table, out: Console) -> int:
    unbounded = out.options.update(max_width=WIDTH_UNBOUNDED)
    return Measurement.get(out, unbounded, made).maximum


def _fields(
    columns: Sequence[str], found: Iterable[Sequence[object]]
) -> Iterable[tuple[str, object]]:
    for number, row in enumerate(found, start=1):
        yield f"— row {number}", ""
        yield from zip(columns, row, strict=True)
