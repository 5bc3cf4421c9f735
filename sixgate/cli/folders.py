"""``sixgate init`` and ``sixgate up``: create a data folder, and run its pipeline."""

import os
import secrets
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Annotated

import typer

from schemas.custody import Tier
from schemas.registry import PARTITIONS_MAX, AccountOpened, Entry, SettingSet
from sixgate.chains import default_chains
from sixgate.cli.config_option import config_file
from sixgate.cli.entries import entry
from sixgate.cli.failures import preload_error_table
from sixgate.cli.options import ACCOUNT_DEFAULT, DATA_DEFAULT, Data, checked_name, name_option
from sixgate.cli.progress import progress
from sixgate.cli.session import fail_usage
from sixgate.cli.terminal import notices, safe, screen
from sixgate.clocks import wall_ms
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.folder import ADMIN, Folder, FolderBusyError
from sixgate.errors import SettingsError

OWNERSHIP_TIMEOUT_S = 30.0
RETRY_S = 0.05
LOG_LEVEL_VARIABLE = "SIXGATE_MONITOR__LOG_LEVEL"  # as for the processes on Kafka
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def init(
    *,
    org: Annotated[
        str, typer.Option(metavar="NAME", callback=checked_name, help="Name of the organisation.")
    ],
    account: Annotated[
        str | None, name_option("--account", "Name of the first account.")
    ] = ACCOUNT_DEFAULT,
    partitions: Annotated[
        int,
        typer.Option(
            min=1,
            max=PARTITIONS_MAX,
            help="Number of partitions. Cannot be changed later; limits parallelism.",
        ),
    ] = 4,
    partitions_per_slot: Annotated[
        int | None,
        typer.Option(
            min=1, max=PARTITIONS_MAX, show_default="all", help="Partitions per signer slot."
        ),
    ] = None,
    tier: Annotated[
        Tier | None,
        typer.Option(
            show_default="no treasury", help="Tier: determines the treasuries' custody mode."
        ),
    ] = None,
    data: Data = DATA_DEFAULT,
) -> None:
    """Create a data folder: an organisation, its admin key, the known chains, one account."""
    # The tier comes first: it determines the treasury vault that an account opens with.
    entries: list[Entry] = [entry(SettingSet, name="org.tier", value=tier)] if tier else []
    entries += [entry(AccountOpened, account=account), *default_chains()]
    with progress("creating the data folder"):
        founding = Founding(org, entries, partitions, partitions_per_slot)
        folder = create(data, founding, wall_ms(), secrets.token_bytes)
    out = screen()
    where = "" if data == DATA_DEFAULT else f" --data {shlex.quote(str(data))}"
    limits = "--max-value-eth 1 --daily-limit-eth 5 --allow-to ADDRESS --chains base"
    for line in (
        f"Created organisation {org} in {data}, with account {account}.",
        f"The admin key is {folder.key(ADMIN)}: it can change everything, so keep it private.",
        f"Next: sixgate agents add NAME --account {account} {limits}{where}",
    ):
        out.print(safe(line), soft_wrap=True)


def up(*, data: Data = DATA_DEFAULT) -> None:
    """Run the pipeline until SIGTERM or Ctrl-C; other commands connect to it."""
    if config_file() is not None:
        fail_usage(
            "a pipeline on Kafka runs as separate processes: start sixgate gates, sixgate signer "
            "and sixgate ledger run with their settings, or omit --config and SIXGATE_CONFIG"
        )
    # Check the folder before the ledger's engine loads, which takes a while.
    folder = Folder(data)
    folder.trust()
    from sixgate.embedded.node import running
    from sixgate.logs import configure_logging
    from sixgate.socket.serving import serving

    configure_logging(_log_level())
    preload_error_table()

    with _stop_signal() as stop, folder.up_lock(), ExitStack() as owning:
        if _take_ownership(folder, stop, owning):
            with running(folder) as node, serving(folder, node):
                notices().print(
                    f"Serving {data} at {folder.socket}; stop with Ctrl-C.", highlight=False
                )
                node.wait(stop)
    notices().print("Stopped cleanly.", highlight=False)


def _log_level() -> str:
    from sixgate.logs import LEVELS

    level = os.environ.get(LOG_LEVEL_VARIABLE, "warning")
    if level not in LEVELS:
        raise SettingsError(f"{LOG_LEVEL_VARIABLE} must be one of {', '.join(LEVELS)}")
    return level


def _take_ownership(folder: Folder, stop: threading.Event, owning: ExitStack) -> bool:
    """Take ownership of the folder, waiting for a short command; return False on a stop signal.

    The caller made sure that no other ``up`` runs. Raises ``FolderBusyError`` after the timeout.
    """
    end = time.monotonic() + OWNERSHIP_TIMEOUT_S
    announced = False
    while not stop.is_set():
        try:
            owning.enter_context(folder.ownership_lock())
        except FolderBusyError:
            if time.monotonic() > end:
                raise
            if not announced:
                limit = f"at most {OWNERSHIP_TIMEOUT_S:g} s"
                line = f"Waiting for another command on {folder.path}, {limit}."
                notices().print(line, highlight=False)
                announced = True
            stop.wait(RETRY_S)
        else:
            return True
    return False


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM and SIGINT set instead of ending the process."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in STOP_SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
