"""``python -m infra.local up|down|status|pin [--processes] [--data DIR]``."""

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from infra.local.clickhouse import ClickHouse
from infra.local.errors import ServerError
from infra.local.fetch import pin
from infra.local.kafka import Kafka
from infra.local.processes import Processes
from infra.local.roles import USERS, Roles
from infra.local.server import Server

DATA_DEFAULT = Path("build/local")


def main() -> int:
    """Run one command; a failure is one sentence and exit code 1."""
    arguments = _parser().parse_args()
    try:
        _run(arguments)
    except ServerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "pin"))
    parser.add_argument("--data", type=Path, default=DATA_DEFAULT, metavar="DIR")
    parser.add_argument("--users", type=Path, metavar="FILE", help="ClickHouse's users.xml")
    parser.add_argument("--processes", action="store_true", help="gates, signer and ledger as well")
    return parser


def _run(said: argparse.Namespace) -> None:
    if said.command == "pin":
        pin()
        return
    data = said.data.resolve()
    with _alone(data):
        local = _local(data, said.users, processes=said.processes or said.command != "up")
        if said.command == "up":
            local.start()
        elif said.command == "down":
            local.stop()
        _tell(data / "servers.json", local)


class Local(NamedTuple):
    """What runs in one folder."""

    kafka: Kafka
    clickhouse: ClickHouse
    processes: Processes | None

    def start(self) -> None:
        """Start what does not run; servers before those that need them."""
        self.kafka.start()
        self.clickhouse.start()
        if self.processes:
            self.processes.found()
            self.processes.start()

    def stop(self) -> None:
        """Stop all, in the other order."""
        if self.processes:
            self.processes.stop()
        self.kafka.stop()
        self.clickhouse.stop()


def _local(data: Path, users: Path | None, *, processes: bool) -> Local:
    kafka = Kafka(data / "kafka")
    if not processes:
        return Local(kafka, ClickHouse(data / "clickhouse", users=users), None)
    roles = Roles(data / "passwords.json")
    users, more = users or USERS, roles.for_server
    clickhouse = ClickHouse(data / "clickhouse", users=users, more=more)
    sixgate = Processes(data / "sixgate", kafka.address, clickhouse.port, roles)
    return Local(kafka, clickhouse, sixgate)


def _tell(file: Path, local: Local) -> None:
    """Write what runs, with its address and process, and print it."""
    servers: dict[str, tuple[Server, str]] = {
        "kafka": (local.kafka.nodes[0], local.kafka.address),
        "clickhouse": (local.clickhouse, local.clickhouse.address),
    }
    for server in local.processes.all if local.processes else ():
        servers[server.folder.name] = (server, "")
    running = {
        name: {"pid": server.process.pid} | ({"address": address} if address else {})
        for name, (server, address) in servers.items()
        if server.process
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
