"""``sixgate ledger run`` and ``sixgate ledger migrate``: the ledger on a ClickHouse server."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from sixgate.cli.session import now_ms
from sixgate.cli.terminal import notices

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings (TOML); SIXGATE_… overrides them."),
]


def run(*, config: Config = None) -> None:
    """Carry every record from Kafka into the ledger's server until SIGTERM."""
    from sixgate.ledger_process import run_ledger  # noqa: PLC0415 - Kafka takes a while to load
    from sixgate.settings.ledger import load_ledger_settings  # noqa: PLC0415

    settings, stop = load_ledger_settings(config), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    run_ledger(settings, stop, now_ms)


def migrate(*, config: Config = None) -> None:
    """Make the ledger's tables on the server, as user ledger_ddl."""
    from sixgate.ledger_process import migrate_ledger  # noqa: PLC0415
    from sixgate.settings.ledger import load_ledger_settings  # noqa: PLC0415

    count = migrate_ledger(load_ledger_settings(config))
    told = f"{count} migrations applied." if count else "The ledger's tables are up to date."
    notices().print(told, highlight=False)
