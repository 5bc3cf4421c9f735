"""``sixgate init`` and ``sixgate up``: create a data folder, and run its pipeline."""

import os
import secrets
import shlex
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, get_args

import click

from schemas.registry.custody import Tier
from schemas.registry.records import PARTITIONS_MAX, AccountOpened, Entry, SettingSet
from sixgate.cli.declare import Option, command, flag
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.options import (
    ACCOUNT_DEFAULT,
    DATA_DEFAULT,
    NAME,
    config_file,
    config_option,
    data_option,
)
from sixgate.cli.render import show
from sixgate.cli.session import entry
from sixgate.cli.terminal import notice, progress
from sixgate.clocks import wall_ms
from sixgate.config.chains import default_chains
from sixgate.config.section import loopback
from sixgate.data_folder.creation import Founding, create
from sixgate.data_folder.folder import ADMIN, Folder, FolderBusyError
from sixgate.errors import SettingsError

if TYPE_CHECKING:  # slow to import
    from sixgate.services.embedded.http_api import EmbeddedApiSettings

OWNERSHIP_TIMEOUT_S = 30.0
RETRY_S = 0.05
PORT_MAX = 65_535
LOG_LEVEL_VARIABLE = "SIXGATE_MONITOR__LOG_LEVEL"  # as for the processes on Kafka
REQUIRE_EXPLICIT = "policies.require_explicit"
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_COUNT = click.IntRange(1, PARTITIONS_MAX)


@command("init", example="--org acme --data ./acme")
@Option("--org", "Name of the organisation.", type=NAME, required=True)
@Option("--account", "Name of the first account.", type=NAME, default=ACCOUNT_DEFAULT)
@Option(
    "--partitions",
    "Number of partitions. Cannot be changed later; limits parallelism.",
    type=_COUNT,
    default=4,
)
@Option("--partitions-per-slot", "Partitions per signer slot.", type=_COUNT, show_default="all")
@Option(
    "--tier",
    "Tier: determines the treasuries' custody mode.",
    type=click.Choice(get_args(Tier)),
    show_default="no treasury",
)
@flag(
    "--compatible",
    "Let an empty list mean any and an absent limit none, as the documented API does.",
)
@data_option
def init(  # noqa: PLR0913 - one parameter per option
    *,
    org: str,
    account: str,
    partitions: int,
    partitions_per_slot: int | None,
    tier: Tier | None,
    compatible: bool,
    data: Path,
) -> None:
    """Create a data folder: an organisation, its admin key, the known chains, one account."""
    # The tier comes first: it determines the treasury vault that an account opens with.
    entries: list[Entry] = [entry(SettingSet, name="org.tier", value=tier)] if tier else []
    entries += [entry(AccountOpened, account=account), *default_chains()]
    if compatible:
        entries.append(entry(SettingSet, name=REQUIRE_EXPLICIT, value=False))
    with progress("creating the data folder"):
        founding = Founding(org, entries, partitions, partitions_per_slot)
        folder = create(data, founding, wall_ms(), secrets.token_bytes)
    where = "" if data == DATA_DEFAULT else f" --data {shlex.quote(str(data))}"
    limits = "--max-value-eth 1 --daily-limit-eth 5 --allow-to ADDRESS --chains base"
    lines = [
        f"Created organisation {org} in {data}, with account {account}.",
        f"The admin key is {folder.key(ADMIN)}: it can change everything, so keep it private.",
    ]
    if compatible:
        lines += [
            "An agent without limits may sign anything: set the limits of each agent.",
            f"Next: sixgate people add NAME{where}",
        ]
    else:
        lines.append(f"Next: sixgate agents add NAME --account {account} {limits}{where}")
    for line in lines:
        show(line)


@command("up", example="--data ./acme")
@Option("--http HOST:PORT", "Serve the HTTP API and MCP at this address.", show_default="no HTTP")
@data_option
@config_option
def up(*, http: str | None, data: Path) -> None:
    """Run the pipeline until SIGTERM or Ctrl-C; other commands connect to it."""
    if config_file() is not None:
        fail_usage(
            "a pipeline on Kafka runs as separate processes: start sixgate gates, sixgate signer "
            "and sixgate ledger run with their settings, or omit --config and SIXGATE_CONFIG"
        )
    # Check address and folder before the ledger's engine loads, which takes a while.
    api = None if http is None else _api_settings(http)
    folder = Folder(data)
    folder.trust()
    from sixgate.api.operator.serving import serving_operators
    from sixgate.logs import configure_logging
    from sixgate.services.embedded.node import running

    configure_logging(_log_level())

    with _stop_signal() as stop, folder.up_lock(), ExitStack() as owning:
        if _take_ownership(folder, stop, owning):
            with ExitStack() as stack:
                with progress("starting the pipeline"):
                    node = stack.enter_context(running(folder))
                    stack.enter_context(serving_operators(folder, node))
                    addresses = [str(folder.socket)]
                    if api is not None:
                        from sixgate.services.embedded.http_api import serving_api

                        served = stack.enter_context(serving_api(folder, node, api))
                        addresses += served.urls
                where = " and ".join(addresses)
                notice(f"Serving {data} at {where}; stop with Ctrl-C.")
                node.wait(stop)
    notice("Stopped cleanly.")


def _api_settings(http: str) -> "EmbeddedApiSettings":
    """Return the settings of the HTTP API at an address; end the command if it cannot serve it."""
    from sixgate.config.loading import load
    from sixgate.services.embedded.http_api import EmbeddedApiSettings

    host, _, port = http.rpartition(":")
    if not host or not port.isascii() or not port.isdecimal() or int(port) > PORT_MAX:
        fail_usage(f"--http {http!a} is no address: give HOST:PORT, such as 127.0.0.1:8600")
    settings = load(EmbeddedApiSettings, None)
    here = settings.api.model_copy(update={"host": host.strip("[]"), "port": int(port)})
    if not (here.tls or here.insecure_dev or loopback(here.host)):
        fail_usage(
            f"--http {http} is reachable from other machines and has no TLS: set "
            "SIXGATE_API__TLS__CERTIFICATE and SIXGATE_API__TLS__KEY to PEM files, or listen at "
            "127.0.0.1"
        )
    return settings.model_copy(update={"api": here})


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
                notice(f"Waiting for another command on {folder.path}, {limit}.")
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
