"""The command ``sixgate``."""

import os
import sys
import threading
from typing import NoReturn

from sixgate.cli.interrupts import leave_at_once

_ENGINE = "chdb"


def main() -> NoReturn:
    """Load the command line and run it; Ctrl-C is answered in a sentence even before that."""
    leave_at_once()
    from sixgate.cli.app import main as run  # after Ctrl-C has its answer

    try:
        run()
    except SystemExit as ended:
        if _ENGINE in sys.modules or any(thread.daemon for thread in threading.enumerate()):
            # A client's query, or a thread of its own, may still run in the ledger's engine, which
            # crashes when the process is taken apart meanwhile. All that must be closed or flushed
            # is.
            os._exit(int(ended.code or 0))
        raise
