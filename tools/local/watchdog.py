"""Kills the servers of a folder when standard input ends: they must not outlive their tests.

python -m tools.local.watchdog FOLDER
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.local.process import load_running


def main(folder: str) -> None:
    """Wait until the process at the other end of standard input ends, then kill the servers."""
    sys.stdin.buffer.read()
    for file in _process_files(folder):
        if process := load_running(file):
            process.send(signal.SIGKILL)


def _process_files(folder: str) -> Iterator[Path]:
    """Yield the servers' process files; ignore files that servers delete meanwhile."""
    for path, _, files in os.walk(folder):
        if "process.json" in files:
            yield Path(path) / "process.json"


if __name__ == "__main__":
    main(sys.argv[1])
