"""Kill what runs below a folder once standard input ends: servers must not outlive their tests.

python -m infra.local.watchdog FOLDER
"""

import signal
import sys
from pathlib import Path

from infra.local.process import remembered


def main(folder: str) -> None:
    """Wait for the end of the process that holds the other end of standard input."""
    sys.stdin.buffer.read()
    for file in Path(folder).rglob("process.json"):
        if process := remembered(file):
            process.send(signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1])
