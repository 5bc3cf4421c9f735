"""How far a long test is; ``pytest -s`` shows it."""

import sys


def show(done: int, total: int, what: str) -> None:
    """Write a line about a share of the whole."""
    sys.stdout.write(f"{done:,} of {total:,}: {what}\n")
    sys.stdout.flush()
