"""Runs ``sixgate`` with a wall clock that is wrong by the seconds in a file.

``python -m tests.harness.pipeline.wrong_clock FILE WORD…``. Without the file the clock is right.
The time since boot stays right, as when an operator sets the wall clock.
"""

import sys
import time
from pathlib import Path

NS = 1_000_000_000


def set_clock(file: Path) -> None:
    """Replace this process's wall clock for all callers."""
    right_ns = time.time_ns

    def wrong_ns() -> int:
        try:
            return right_ns() + int(float(file.read_text()) * NS)
        except FileNotFoundError:
            return right_ns()

    time.time_ns = wrong_ns
    time.time = lambda: wrong_ns() / NS


if __name__ == "__main__":
    set_clock(Path(sys.argv.pop(1)))
    from sixgate.cli.app import main

    main()
