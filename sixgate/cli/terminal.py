"""Output: consoles for people, JSON for programs, progress bars on a terminal.

Text from the bus is untrusted: markup and control characters are escaped before they reach the
terminal.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import orjson
from rich.console import Console
from rich.text import Text

from sixgate.cli.failures import OutputClosedError

WIDTH_MAX, WIDTH_PIPED = 120, 120
DELAY_S = 1.0
WAITING = "waiting for the signer"
Item = TypeVar("Item")


class Screen(Console):
    """A console that ends the command when the reader closes the output."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise ``OutputClosedError``."""
        raise OutputClosedError


def screen() -> Screen:
    """Return the console for results (standard output)."""
    return _console(sys.stdout)


def notices() -> Screen:
    """Return the console for errors, notices and progress (standard error)."""
    made = _console(sys.stderr)
    made.soft_wrap = not made.is_terminal  # in a log, one sentence is one line
    return made


def notice(sentence: str) -> None:
    """Print a sentence to standard error: what a command did, beside its result."""
    notices().print(safe(sentence))


def print_json(value: Any) -> None:
    """Write one JSON document, indented."""
    _write_line(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_json_line(value: Any) -> None:
    """Write one JSON value as a line and flush it."""
    _write_line(orjson.dumps(value).decode())


def safe(text: object, style: str = "") -> Text:
    """Return text without markup interpretation, its control characters escaped."""
    shown = "".join(c if c.isprintable() else _escaped(c) for c in str(text))
    return Text(shown, style=style)


def short(digest: str, length: int = 10) -> str:
    """Return the start of a digest, long enough to find it by."""
    return digest[: 2 + length]


class Bar:
    """A progress bar; without a total it only shows activity."""

    def __init__(self, update: Callable[..., Any]) -> None:
        self._update = update

    def show(self, done: int, total: int | None = None, title: str | None = None) -> None:
        """Set the number of items done, and the total."""
        self._update(completed=done, total=total, description=title)

    def track(self, items: Sequence[Item]) -> Iterator[Item]:
        """Yield items and count those done."""
        for done, item in enumerate(items):
            self.show(done, len(items))
            yield item
        self.show(len(items), len(items))


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Bar]:
    """Yield a bar that appears after a second, on a terminal, and is erased at the end."""
    console = notices()
    if not console.is_terminal:
        yield Bar(lambda **_: None)
        return
    from rich import progress as bars  # slow

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    shown = bars.Progress(*columns, console=console, transient=True)
    task = shown.add_task(title, total=total)
    timer = threading.Timer(DELAY_S, shown.start)
    timer.daemon = True
    timer.start()
    try:
        yield Bar(lambda **news: shown.update(task, **news))
    finally:
        timer.cancel()
        timer.join()
        shown.stop()


def _console(file: Any) -> Screen:
    made = Screen(file=file)
    if made.is_terminal:
        made.width = min(made.width, WIDTH_MAX)
    elif "COLUMNS" not in os.environ:
        made.width = WIDTH_PIPED
    return made


def _escaped(character: str) -> str:
    return " " if character in "\n\t" else f"\\u{ord(character):04x}"


def _write_line(line: str) -> None:
    """Write a line and flush it; raise ``OutputClosedError`` if the reader closed the pipe."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosedError from None
