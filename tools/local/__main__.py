"""``python -m tools.local up|down|status|pin [--processes] [--data DIR]``."""

import argparse
import json
import os
import sys
from pathlib import Path

from tools.local.errors import ServerError
from tools.local.fetch import pin
from tools.local.local import Local, local_in
from tools.local.lock import file_lock
from tools.local.server import Server

DATA_DEFAULT = Path("build/local")


def main() -> int:
    """Run one command; on failure print one sentence and return 1."""
    arguments = _parser().parse_args()
    try:
        _run(arguments)
    except ServerError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.local", description=__doc__)
    parser.add_argument("command", choices=("up", "down", "status", "pin"))
    parser.add_argument("--data", type=Path, default=DATA_DEFAULT, metavar="DIR")
    parser.add_argument("--users", type=Path, metavar="FILE", help="users.xml for ClickHouse")
    parser.add_argument(
        "--processes", action="store_true", help="also start gates, signer and ledger"
    )
    return parser


def _run(options: argparse.Namespace) -> None:
    if options.command == "pin":
        pin()
        return
    data = options.data.resolve()
    if options.processes:
        _remove_settings_variables()
    with file_lock(data / "lock"):
        processes = options.processes or options.command != "up"
        local = local_in(data, options.users, processes=processes)
        if options.command == "up":
            local.start()
        elif options.command == "down":
            local.stop()
        _show_running(data / "servers.json", local)


def _remove_settings_variables() -> None:
    """Remove the caller's SIXGATE_ variables, which would override the generated settings."""
    for name in [name for name in os.environ if name.startswith("SIXGATE_")]:
        del os.environ[name]


def _show_running(file: Path, local: Local) -> None:
    """Write the running servers and processes, with address and process id, and print them."""
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
    listing = json.dumps(running, indent=2)
    draft = file.with_suffix(".draft")
    draft.write_text(listing + "\n")
    draft.replace(file)
    sys.stdout.write(listing + "\n")


if __name__ == "__main__":
    sys.exit(main())
