"""Listings and sheets: output that never splits a word, at any terminal width.

Rich's tables fold long words, and a folded digest cannot be copied. Here the cells of a row stay on
one line; its details follow on separate lines that break only between words.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from sixgate.cli.terminal import safe

GAP = 2
INDENT = "    "
LABEL_WIDTH_MAX = 20


@dataclass(frozen=True, slots=True)
class Row:
    """The cells of one row, and details that follow below."""

    cells: Sequence[object]
    details: Sequence[object] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows under headings; ``right`` names the columns of numbers."""

    columns: Sequence[str]
    rows: Sequence[Row]
    right: Sequence[str] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the headings, a rule, and each row with its details."""
        lines = [[text_of(cell) for cell in row.cells] for row in self.rows]
        heads = [safe(column, "bold") for column in self.columns]
        widths = [max(cell.cell_len for cell in cells) for cells in zip(heads, *lines, strict=True)]
        yield self._line(heads, widths)
        yield safe("─" * min(sum(widths) + GAP * (len(widths) - 1), options.max_width))
        for row, cells in zip(self.rows, lines, strict=True):
            yield self._line(cells, widths)
            for detail in row.details:
                yield from indented(text_of(detail), console, options)

    def _line(self, cells: Sequence[Text], widths: Sequence[int]) -> Text:
        padded = []
        for column, cell, width in zip(self.columns, cells, widths, strict=True):
            room = Text(" " * (width - cell.cell_len))
            padded.append(room + cell if column in self.right else cell + room)
        line = Text(" " * GAP).join(padded)
        line.rstrip()
        return line


@dataclass(frozen=True, slots=True)
class Sheet:
    """Labelled values of one object; a value too long for its line is shown below its label."""

    title: str
    pairs: Sequence[tuple[str, object]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the title and a line for each pair."""
        if self.title:
            yield safe(self.title, "bold")
        lengths = [len(label) for label, _ in self.pairs if len(label) <= LABEL_WIDTH_MAX]
        width = max(lengths, default=0)
        for label, value in self.pairs:
            name, shown = safe(label, "dim"), text_of(value)
            room = Text(" " * (max(0, width - name.cell_len) + GAP))
            if name.cell_len + len(room) + shown.cell_len <= options.max_width:
                yield name + room + shown
            else:
                yield name
                yield from indented(shown, console, options)


def indented(text: Text, console: Console, options: ConsoleOptions) -> Iterable[Text]:
    """Yield a text on indented lines, broken only between words."""
    width = max(options.max_width - len(INDENT), max(map(len, text.plain.split()), default=1))
    for line in text.wrap(console, width):
        line.rstrip()
        yield Text(INDENT) + line


def show(view: Listing | Sheet, out: Console) -> None:
    """Print a view; the terminal wraps long lines, and none is cropped."""
    out.print(view, soft_wrap=True)


def text_of(cell: object) -> Text:
    """Return a cell as ``Text``, escaped unless it is one already."""
    return cell if isinstance(cell, Text) else safe(cell)
