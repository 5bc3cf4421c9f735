"""``sixgate ledger run`` and ``migrate``: the ledger on a ClickHouse server."""

from pathlib import Path
from typing import Annotated

import typer

from sixgate.cli.long_running import run_until_stopped
from sixgate.cli.terminal import notices
from sixgate.cli.typer_config import InsecureDev, use_insecure_dev

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings file (TOML). SIXGATE_… variables override it."
    ),
]


def run(*, config: Config = None, insecure_dev: InsecureDev = False) -> None:
    """Copy all records from Kafka to the ledger's server until SIGTERM."""
    from sixgate.scaled.ledger_process import LedgerProcess  # slow: imports Kafka
    from sixgate.scaled.settings import load_settings

    use_insecure_dev(insecure_dev)
    settings = load_settings(config)
    run_until_stopped(LedgerProcess, settings)


def migrate(*, config: Config = None) -> None:
    """Create or update the ledger's tables on the server, as user ledger_ddl."""
    from sixgate.scaled.ledger_process import migrate_ledger
    from sixgate.scaled.settings import load_settings

    count = migrate_ledger(load_settings(config))
    done = f"{count} migrations applied." if count else "The ledger's tables are up to date."
    notices().print(done, highlight=False)
