"""Commands that run one process of a pipeline on Kafka, and ``config`` and ``publish``."""

import asyncio
from importlib import import_module

from schemas.topics import Principal
from sixgate.cli.declare import Option, command
from sixgate.cli.identities import connected_as
from sixgate.cli.long_running import run_until_stopped
from sixgate.cli.options import config_file, config_option, insecure_dev
from sixgate.cli.terminal import notice, print_json


def _run(process: str, slots: str | None = None) -> None:
    """Run the process ``module:class`` of ``sixgate`` with the settings that were given."""
    module, _, name = process.partition(":")
    kind = getattr(import_module(f"sixgate.{module}"), name)  # slow: imports Faust or a cloud SDK
    from sixgate.scaled.settings import load_settings

    run_until_stopped(kind, load_settings(config_file(), slots=slots))


@command("gates", epilog="Example: sixgate gates --config sixgate.toml")
@config_option
@insecure_dev
def gates() -> None:
    """Run the gates on Kafka until SIGTERM."""
    _run("scaled.gates_process:GatesProcess")


@command("signer", epilog="Example: sixgate signer --config sixgate.toml --slots 0-3")
@config_option
@Option("--slots 0-3", "Slots to run.", show_default="the settings'")
@insecure_dev
def signer(*, slots: str | None) -> None:
    """Run the signer of some slots on Kafka until SIGTERM."""
    _run("scaled.signer_process:SignerProcess", slots)


@command("registrar", epilog="Example: sixgate registrar --config sixgate.toml")
@config_option
@insecure_dev
def registrar() -> None:
    """Sign registry heads until SIGTERM."""
    _run("scaled.registrar_process:RegistrarProcess")


@command("custody", epilog="Example: sixgate custody --config custody.toml")
@config_option
@insecure_dev
def custody() -> None:
    """Serve secrets to agents with a grant until SIGTERM; signing keys are never served."""
    _run("custody.process:CustodyProcess")


@command("gateway", epilog="Example: sixgate gateway --config gateway.toml")
@config_option
@insecure_dev
def gateway() -> None:
    """Serve the HTTP API and MCP over Kafka until SIGTERM."""
    _run("scaled.gateway_process:GatewayProcess")


@command("desk", epilog="Example: sixgate desk --config desk.toml")
@config_option
@insecure_dev
def desk() -> None:
    """Sign what people change through the HTTP API, within a scope, until SIGTERM."""
    _run("scaled.desk_process:DeskProcess")


@command("config", epilog="Example: sixgate config --config sixgate.toml")
@config_option
def config() -> None:
    """Print the effective settings of the processes on Kafka, secrets masked."""
    from sixgate.scaled.settings import load_settings, masked

    print_json(masked(load_settings(config_file())))


@command("publish", epilog="Example: sixgate publish --config sixgate.toml")
@config_option
def publish() -> None:
    """Copy the organisation of the data folder to Kafka. Cannot be undone."""
    from sixgate.data_folder.folder import Folder
    from sixgate.scaled.publishing import publish as send
    from sixgate.scaled.settings import load_settings

    settings = load_settings(config_file())
    folder = Folder(settings.data)
    with connected_as(Principal.OPERATORS):
        sent = asyncio.run(send(settings.kafka.broker("sixgate-publish"), folder))
    counts = f"{sent.records} registry records and {sent.requests} key requests"
    notice(f"Sent {counts} to Kafka." if any(sent) else "Everything is on Kafka already.")
