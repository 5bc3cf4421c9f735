"""Commands that run one process until it is stopped, and ``probe``, ``config`` and ``publish``."""

import logging
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sixgate.cli.commands import COMMANDS
from sixgate.cli.declare import Option, command, flag
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.failures import Failure, failure_of
from sixgate.cli.options import (
    FILE,
    config_file,
    config_option,
    insecure_dev,
    process_settings,
)
from sixgate.cli.render import show
from sixgate.cli.terminal import notice, print_json

if TYPE_CHECKING:
    from sixgate.config.signer import SignerProcessSettings

# A halt needs an operator before the next start; every other failure may be restarted.
EVENTS = {
    ExitCode.HALTED: "process.halted",
    ExitCode.LEDGER_WRONG: "process.halted",
    ExitCode.TAKEN_OVER: "process.fenced",
}
PROBED = {"STALLED": ExitCode.STALLED, "ABSENT": ExitCode.UNREACHABLE, "UNEXPECTED": ExitCode.USAGE}
API_KEY_VARIABLE = "SIXGATE_API_KEY"
_LOG = logging.getLogger("sixgate.process")


def run_until_stopped(process: str, settings: "SignerProcessSettings") -> None:
    """Run the process ``module:class`` of ``sixgate`` until SIGTERM or SIGINT.

    Raises its first failure.
    """
    module, _, name = process.partition(":")
    kind = getattr(import_module(f"sixgate.{module}"), name)  # slow: imports Faust or a cloud SDK
    from sixgate.services.process import run_process

    try:
        run_process(kind, settings)
    except Exception as error:
        log_end(failure_of(error), error)
        raise


def log_end(failure: Failure, error: Exception) -> None:
    """Log the error that ends a process; ``failure`` quotes no message of a foreign exception."""
    event = EVENTS.get(failure.code, "process.failed")
    facts = {"error": type(error).__name__, "exit_code": failure.code.value}
    _LOG.error(event, extra=facts | {"detail": failure.sentence})


def _running(name: str, process: str, example: str) -> Any:
    """Return the command of the table that runs a process."""

    @command(name, example=example, help=COMMANDS[name].help)
    @config_option
    @insecure_dev
    def run() -> None:
        run_until_stopped(process, process_settings())

    return run


gates = _running("gates", "services.gates:GatesProcess", "--config sixgate.toml")
registrar = _running("registrar", "services.registrar:RegistrarProcess", "--config sixgate.toml")
custody = _running("custody", "services.custody:CustodyProcess", "--config custody.toml")
gateway = _running("gateway", "services.gateway:GatewayProcess", "--config gateway.toml")
desk = _running("desk", "services.desk:DeskProcess", "--config desk.toml")


@command("signer", example="--config sixgate.toml --slots 0-3")
@config_option
@Option("--slots 0-3", "Slots to run.", show_default="the settings'")
@insecure_dev
def signer(*, slots: str | None) -> None:
    """Run the signer of some slots on Kafka until SIGTERM."""
    from sixgate.config.signer import load_signer_settings  # not those of other processes

    run_until_stopped("services.signer:SignerProcess", load_signer_settings(config_file(), slots))


@command("probe", example="--url http://127.0.0.1:9101")
@Option("--url http://HOST:PORT", "Metrics address of the process.", required=True)
@Option(
    "--stalled-s",
    "Seconds without an answer or progress that mean stalled.",
    type=click.FloatRange(0.1, 3_600),
    default=30.0,
)
def probe(*, url: str, stalled_s: float) -> None:
    """Report whether a process is healthy. Exit code 13 means stalled."""
    from sixgate.services.probe import State, check_health, parse_address

    try:
        at = parse_address(url)
    except ValueError as error:
        fail_usage(f"--url {url!a} is {error}")
    found = check_health(at, stalled_s)
    if found.state is State.HEALTHY:
        show(found.sentence)
        return
    raise CommandError(PROBED[found.state.name], found.sentence)


@command("mcp", example="--url https://gateway.example --api-key-file agent.key")
@Option("--url https://HOST", "Address of the HTTP API.")
@Option("--socket PATH", "Unix socket of the HTTP API.", type=FILE)
@Option(
    "--api-key-file FILE",
    "File with the agent's API key (ocv_…).",
    type=FILE,
    show_default=API_KEY_VARIABLE,
)
@flag("--insecure-http", "Send the API key in clear to an http:// address beyond loopback.")
def mcp(
    *, url: str | None, socket: Path | None, api_key_file: Path | None, insecure_http: bool
) -> None:
    """Serve an agent's tools to a model by MCP on standard input and output."""
    import anyio
    from sixgate_client import AsyncClient

    from sixgate.mcp.server import serve_stdio

    if (url is None) == (socket is None):
        fail_usage("give --url or --socket, and only one of the two")
    unix_socket = None if socket is None else str(socket)
    try:
        client = AsyncClient(
            url,
            api_key=_api_key(api_key_file),
            unix_socket=unix_socket,
            insecure_http=insecure_http,
        )
    except ValueError as error:
        fail_usage(str(error).replace("insecure_http", "--insecure-http"))
    anyio.run(serve_stdio, client)


def _api_key(file: Path | None) -> str:
    key = file.read_text().strip() if file else os.environ.get(API_KEY_VARIABLE)
    if key is None:
        fail_usage(f"give the agent's API key with --api-key-file or {API_KEY_VARIABLE}")
    if not (key.isascii() and key.isprintable() and key):
        fail_usage("the API key must be one line of ASCII text")
    return key


@command("config", example="--config sixgate.toml")
@config_option
def config() -> None:
    """Print the effective settings of the processes on Kafka, secrets masked."""
    from sixgate.config.loading import masked

    print_json(masked(process_settings()))


@command("publish", example="--config sixgate.toml")
@config_option
def publish() -> None:
    """Copy the organisation of the data folder to Kafka. Cannot be undone."""
    import asyncio  # slow, as the others

    from schemas.topics import Principal
    from sixgate.cli.session import connected_as
    from sixgate.data_folder.folder import Folder
    from sixgate.operate.publish import publish as send

    settings = process_settings()
    folder = Folder(settings.data)
    with connected_as(Principal.OPERATORS):
        sent = asyncio.run(send(settings.kafka.broker("sixgate-publish"), folder))
    counts = f"{sent.records} registry records and {sent.requests} key requests"
    notice(f"Sent {counts} to Kafka." if any(sent) else "Everything is on Kafka already.")
