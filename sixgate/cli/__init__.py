"""The command ``sixgate``."""

from typing import NoReturn

from sixgate.cli.interrupts import leave_at_once


def main() -> NoReturn:
    """Load the command line and run it; Ctrl-C is answered in a sentence even before that."""
    leave_at_once()
    from sixgate.cli.app import main as run  # noqa: PLC0415 - takes a third of a second

    run()
