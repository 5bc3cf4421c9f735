"""Output: consoles for people, JSON for programs.

Text from the bus is untrusted: markup and control characters are escaped before they reach the
terminal.
"""

import os
import sys
from typing import Any, NoReturn

import orjson
from rich.console import Console
from rich.text import Text

from sixgate.cli.output import OutputClosedError, write_line

WIDTH_MAX, WIDTH_PIPED = 120, 120


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
    write_line(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


def print_json_line(value: Any) -> None:
    """Write one JSON value as a line and flush it."""
    write_line(orjson.dumps(value).decode())


def safe(text: object, style: str = "") -> Text:
    """Return text without markup interpretation, its control characters escaped."""
    shown = "".join(c if c.isprintable() else _escaped(c) for c in str(text))
    return Text(shown, style=style)


def short(digest: str, length: int = 10) -> str:
    """Return the start of a digest, long enough to find it by."""
    return digest[: 2 + length]


def _console(file: Any) -> Screen:
    made = Screen(file=file)
    if made.is_terminal:
        made.width = min(made.width, WIDTH_MAX)
    elif "COLUMNS" not in os.environ:
        made.width = WIDTH_PIPED
    return made


def _escaped(character: str) -> str:
    return " " if character in "\n\t" else f"\\u{ord(character):04x}"
