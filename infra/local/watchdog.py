"""Kill what runs below a folder once standard input ends: servers must not outlive their tests.

python -m infra.local.watchdog FOLDER
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.local.process import remembered


def main(folder: str) -> None:
    """Wait for the end of the process that holds the other end of standard input."""
    sys.stdin.buffer.read()
    for file in _notes(folder):
        if process := remembered(file):
            process.send(signal.SIGKILL)


def _notes(folder: str) -> Iterator[Path]:
    """Yield where servers are written down, passing over what they delete meanwhile."""
    for here, _, files in os.walk(folder):
        if "process.json" in files:
            yield Path(here) / "process.json"


if __name__ == "__main__":
    main(sys.argv[1])
