"""The command ``sixgate``."""

import os
import sys
import threading
from typing import NoReturn

from sixgate.cli.interrupts import exit_on_interrupt

_ENGINE = "chdb"


def main() -> NoReturn:
    """Load the command line and run it; Ctrl-C during loading ends with a sentence too."""
    exit_on_interrupt()
    from sixgate.cli.app import main as run  # slow: Ctrl-C must be handled before

    try:
        run()
    except SystemExit as ended:
        if _ENGINE in sys.modules or any(thread.daemon for thread in threading.enumerate()):
            # A client's query or an engine thread may still run; the engine would crash during
            # the interpreter's shutdown. Everything that needs it is closed and flushed by now.
            os._exit(int(ended.code or 0))
        raise
