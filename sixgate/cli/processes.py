"""Commands that run one process of a pipeline on Kafka, and ``config`` and ``publish``."""

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer

from schemas.topics import Principal
from sixgate.cli.identities import connected_as
from sixgate.cli.long_running import run_until_stopped
from sixgate.cli.terminal import notices, screen
from sixgate.cli.typer_config import InsecureDev, config_file, use_insecure_dev

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Settings file (TOML). SIXGATE_… variables override it."
    ),
]


def gates(*, config: Config = None, insecure_dev: InsecureDev = False) -> None:
    """Run the gates on Kafka until SIGTERM."""
    from sixgate.scaled.gates_process import GatesProcess  # slow: imports Faust
    from sixgate.scaled.settings import load_settings

    use_insecure_dev(insecure_dev)
    settings = load_settings(config or config_file())
    run_until_stopped(GatesProcess, settings)


def signer(
    *,
    config: Config = None,
    slots: Annotated[
        str | None,
        typer.Option(metavar="0-3", show_default="the settings'", help="Slots to run."),
    ] = None,
    insecure_dev: InsecureDev = False,
) -> None:
    """Run the signer of some slots on Kafka until SIGTERM."""
    from sixgate.scaled.settings import load_settings
    from sixgate.scaled.signer_process import SignerProcess

    use_insecure_dev(insecure_dev)
    settings = load_settings(config or config_file(), slots=slots)
    run_until_stopped(SignerProcess, settings)


def registrar(*, config: Config = None, insecure_dev: InsecureDev = False) -> None:
    """Sign registry heads until SIGTERM."""
    from sixgate.scaled.registrar_process import RegistrarProcess
    from sixgate.scaled.settings import load_settings

    use_insecure_dev(insecure_dev)
    settings = load_settings(config or config_file())
    run_until_stopped(RegistrarProcess, settings)


def custody(*, config: Config = None, insecure_dev: InsecureDev = False) -> None:
    """Serve secrets to agents with a grant until SIGTERM; signing keys are never served."""
    from sixgate.custody.process import CustodyProcess  # slow: imports a cloud SDK
    from sixgate.scaled.settings import load_settings

    use_insecure_dev(insecure_dev)
    settings = load_settings(config or config_file())
    run_until_stopped(CustodyProcess, settings)


def config(*, config: Config = None) -> None:
    """Print the effective settings of the processes on Kafka, secrets masked."""
    from sixgate.scaled.settings import load_settings, masked

    plain = orjson.dumps(masked(load_settings(config or config_file())), option=orjson.OPT_INDENT_2)
    screen().print(plain.decode(), highlight=False, soft_wrap=True)


def publish(*, config: Config = None) -> None:
    """Copy the organisation of the data folder to Kafka. Cannot be undone."""
    from sixgate.data_folder.folder import Folder
    from sixgate.scaled.publishing import publish as send
    from sixgate.scaled.settings import load_settings

    settings = load_settings(config or config_file())
    folder = Folder(settings.data)
    with connected_as(Principal.OPERATORS):
        sent = asyncio.run(send(settings.kafka.broker("sixgate-publish"), folder))
    counts = f"{sent.records} registry records and {sent.requests} key requests"
    done = f"Sent {counts} to Kafka." if any(sent) else "Everything is on Kafka already."
    notices().print(done, highlight=False)
