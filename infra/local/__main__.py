"""``python -m infra.local up|down|status|pin [--processes] [--data DIR]``."""

import argparse
import json
import os
import sys
from pathlib import Path

from infra.local.errors import ServerError
from infra.local.fetch import pin
from infra.local.local import Local, local_in
from infra.local.lock import alone
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
    if said.processes:
        _forget_settings()
    with alone(data / "lock"):
        local = local_in(data, said.users, processes=said.processes or said.command != "up")
        if said.command == "up":
            local.start()
        elif said.command == "down":
            local.stop()
        _tell(data / "servers.json", local)


def _forget_settings() -> None:
    """Let no variable of whoever calls override the settings files that are written here."""
    for name in [name for name in os.environ if name.startswith("SIXGATE_")]:
        del os.environ[name]


def _tell(file: Path, local: Local) -> None:
    """Write what runs, with its address and process, and print it."""
    servers: dict[str, tuple[Server, str]] = {
        "kafka": (local.kafka.nodes[0], local.kafka.address),
        "clickhouse": (local.clickhouse, local.clickhouse.address),
    }
    for server in local.processes.all if local.processes else ():
        monitor = local.processes.monitors.get(server.folder.name, "") if local.processes else ""
        servers[server.folder.name] = (server, monitor)
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


if __name__ == "__main__":
    sys.exit(main())
