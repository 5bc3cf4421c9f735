"""Renders what commands return: as JSON, or as tables and sheets made from lists of fields.

No word is ever split, at any terminal width: Rich's tables fold long words, and a folded digest
cannot be copied. Here the cells of a row stay on one line; its details follow on separate lines
that break only between words.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeAlias

import click
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from sixgate.cli.declare import Function, flag
from sixgate.cli.terminal import print_json, print_json_line, safe, screen

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
    title: Text | None = None

    @property
    def width(self) -> int:
        """Return the width of its longest line, without details."""
        return sum(self._widths()) + GAP * (len(self.columns) - 1)

    def _widths(self) -> list[int]:
        lines = [self.columns, *(row.cells for row in self.rows)]
        return [max(text_of(cell).cell_len for cell in cells) for cells in zip(*lines, strict=True)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the title, the headings, a rule, and each row with its details."""
        heads, widths = [safe(column, "bold") for column in self.columns], self._widths()
        if self.title:
            yield self.title
        yield self._line(heads, widths)
        yield safe("─" * min(self.width, options.max_width))
        for row in self.rows:
            yield self._line([text_of(cell) for cell in row.cells], widths)
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


View: TypeAlias = Listing | Sheet | Text | str


def show(view: View | list[View], out: Console | None = None) -> None:
    """Print a view, or several with empty lines between; long lines wrap, and none is cropped."""
    out = out or screen()
    for number, one in enumerate(view if isinstance(view, list) else [view]):
        if number:
            out.print()
        out.print(safe(one) if isinstance(one, str) else one, soft_wrap=True)


def text_of(cell: object) -> Text:
    """Return a cell as ``Text``, escaped unless it is one already."""
    return cell if isinstance(cell, Text) else safe(cell)


@dataclass(frozen=True, slots=True)
class Field:
    """A column or a line: its label, and the key or the function that gives its value."""

    label: str
    value: str | Callable[[Any], object] = ""
    right: bool = False

    def of(self, found: Any) -> object:
        """Return the value in one object; by default the label is the key."""
        return self.value(found) if callable(self.value) else found[self.value or self.label]


Pairs: TypeAlias = Callable[[Any], Iterable[tuple[str, object]]]


def table(
    *fields: Field,
    details: Callable[[Any], Sequence[object]] | None = None,
    title: Text | None = None,
) -> Callable[[Iterable[Any]], Listing]:
    """Return the view of a list: a row for each object, with its details below."""
    columns, right = [one.label for one in fields], [one.label for one in fields if one.right]

    def view(found: Iterable[Any]) -> Listing:
        made = [Row([f.of(one) for f in fields], details(one) if details else ()) for one in found]
        return Listing(columns, made, right, title)

    return view


def sheet(*parts: Field | Pairs) -> Callable[[Any], Sheet]:
    """Return the view of one object; a function among the fields gives several lines."""

    def view(found: Any) -> Sheet:
        pairs = [
            pair
            for part in parts
            for pair in ([(part.label, part.of(found))] if isinstance(part, Field) else part(found))
        ]
        return Sheet("", pairs)

    return view


class Answer:
    """A command's result, what only the view needs, and how the command ends after printing it.

    ``code`` is the exit code; ``failure`` is raised.
    """

    def __init__(
        self, value: Any, code: int = 0, failure: Exception | None = None, **context: Any
    ) -> None:
        self.value, self.code, self.failure, self.context = value, code, failure, context


_as_json = flag("--json", "Print JSON for programs.", name="as_json")


def prints(view: Callable[..., View | list[View]]) -> Callable[[Function], Function]:
    """Add ``--json`` to a command; print what it returns as JSON or through ``view``."""

    def decorate(command: Function) -> Function:
        @_as_json
        @wraps(command)
        def printed(*, as_json: bool, **given: Any) -> Any:
            found = command(**given)
            answer = found if isinstance(found, Answer) else Answer(found)
            if as_json:
                print_json(answer.value)
            else:
                show(view(answer.value, **answer.context))
            if answer.failure:
                raise answer.failure
            if answer.code:
                raise click.exceptions.Exit(answer.code)
            return answer.value  # for a command that runs this one

        return printed

    return decorate


def prints_lines(view: Callable[[Any], View]) -> Callable[[Function], Function]:
    """Add ``--json`` to a command that is a generator; print each item when it arrives."""

    def decorate(command: Function) -> Function:
        @_as_json
        @wraps(command)
        def printed(*, as_json: bool, **given: Any) -> None:
            with closing(command(**given)) as items:  # also if the reader closes the output
                for item in items:
                    if as_json:
                        print_json_line(item)
                    else:
                        show(view(item))

        return printed

    return decorate
