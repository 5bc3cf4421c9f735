"""Standard output without a console's looks: whole lines, and an end when nobody reads them."""

import sys


class OutputClosed(Exception):  # noqa: N818 - says what happened to the output
    """Whoever read our output went away; there is nobody to tell."""


def write_line(line: str) -> None:
    """Write a line and flush it; raise ``OutputClosed`` if its reader went away."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise OutputClosed from None
