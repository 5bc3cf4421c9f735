"""Standard output without a console's looks: whole lines, and an end when nobody reads them."""

import sys


class OutputClosedError(Exception):
    """Whoever read our output went away; there is nobody to tell."""


def write_line(line: str) -> None:
    """Write a line and flush it; raise ``OutputClosedError`` if its reader went away."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosedError from None
