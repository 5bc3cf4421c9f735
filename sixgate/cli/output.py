"""Unformatted standard output; ends the command when the reader closes it."""

import sys


class OutputClosedError(Exception):
    """The reader of standard output closed it, so no error is printed."""


def write_line(line: str) -> None:
    """Write a line and flush it; raise ``OutputClosedError`` if the reader closed the pipe."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosedError from None
