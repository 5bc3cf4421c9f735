"""``python -m infra.local up|down|status|pin [--data DIR]``."""

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.clickhouse import ClickHouse
from infra.local.errors import ServerError
from infra.local.fetch import pin
from infra.local.kafka import Kafka

DATA_DEFAULT = Path("build/local")


def main() -> int:
    """Run one command; a failure is one sentence and exit code 1."""
    arguments = _parser().parse_args()
    try:
        _run(arguments.command, arguments.data.resolve(), arguments.users)
    except ServerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "pin"))
    parser.add_argument("--data", type=Path, default=DATA_DEFAULT, metavar="DIR")
    parser.add_argument("--users", type=Path, metavar="FILE", help="ClickHouse's users.xml")
    return parser


def _run(command: str, data: Path, users: Path | None) -> None:
    if command == "pin":
        pin()
        return
    with _alone(data):
        kafka, clickhouse = Kafka(data / "kafka"), ClickHouse(data / "clickhouse", users=users)
        if command == "up":
            kafka.start()
            clickhouse.start()
        elif command == "down":
            kafka.stop()
            clickhouse.stop()
        _tell(data / "servers.json", kafka, clickhouse)


def _tell(file: Path, kafka: Kafka, clickhouse: ClickHouse) -> None:
    """Write what runs, with its address and process, and print it."""
    running = {
        name: {"address": address, "pid": process.pid}
        for name, address, process in (
            ("kafka", kafka.address, kafka.nodes[0].process),
            ("clickhouse", clickhouse.address, clickhouse.process),
        )
        if process
    }
    told = json.dumps(running, indent=2)
    draft = file.with_suffix(".draft")
    draft.write_text(told + "\n")
    draft.replace(file)
    sys.stdout.write(told + "\n")


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    data.mkdir(parents=True, exist_ok=True)
    lock = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


if __name__ == "__main__":
    sys.exit(main())
