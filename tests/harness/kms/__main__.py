"""``make peers``: runs stand-ins of three clouds' KMSs until Ctrl-C and prints their addresses."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from tests.harness.kms.peers import Peers

FOLDER_DEFAULT = Path("build/peers")


def main() -> None:
    """Start all three, write settings for them and wait for a signal."""
    parser = argparse.ArgumentParser(prog="python -m tests.harness.kms", description=__doc__)
    parser.add_argument("--data", type=Path, default=FOLDER_DEFAULT, metavar="DIR")
    folder: Path = parser.parse_args().data.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Peers(folder) as peers:
        file = folder / "sixgate.toml"
        file.write_text(peers.settings())
        sys.stdout.write(
            f"gcp    {peers.gcp.address}\naws    {peers.aws.address}\n"
            f"azure  {peers.azure.address}\n"
            f"Try it: sixgate kms check --config {file}\nCtrl-C stops them.\n"
        )
        sys.stdout.flush()
        stopped.wait()


if __name__ == "__main__":
    main()
