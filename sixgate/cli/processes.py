"""The pipeline as separate processes: ``sixgate gates``, ``signer``, ``registrar``, …."""

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer

from schemas.topics import Principal
from sixgate.cli.config_option import InsecureDev, config_file, use_insecure_dev
from sixgate.cli.identities import speaking_as
from sixgate.cli.long_running import run_until_stopped
from sixgate.cli.terminal import notices, screen

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings (TOML); SIXGATE_… overrides them."),
]


def gates(*, config: Config = None, insecure_dev: InsecureDev = False) -> None:
    """Run the gates on Kafka until SIGTERM."""
    from sixgate.scaled.gates_process import GatesProcess  # Faust takes a while to load
    from sixgate.scaled.settings import load_settings

    use_insecure_dev(insecure_dev)
    settings = load_settings(config or config_file())
    run_until_stopped(GatesProcess, settings)


def signer(
    *,
    config: Config = None,
    slots: Annotated[
        str | None, typer.Option(metavar="0-3", help="Which slots; over the settings.")
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
    """Sign again and again how far the registry goes, until SIGTERM."""
    from sixgate.scaled.registrar_process import RegistrarProcess
    from sixgate.scaled.settings import load_settings

    use_insecure_dev(insecure_dev)
    settings = load_settings(config or config_file())
    run_until_stopped(RegistrarProcess, settings)


def custody(*, config: Config = None, insecure_dev: InsecureDev = False) -> None:
    """Serve secrets that are no signing keys to the agents that are granted them, until SIGTERM."""
    from sixgate.custody.process import CustodyProcess  # loads a cloud's SDK
    from sixgate.scaled.settings import load_settings

    use_insecure_dev(insecure_dev)
    settings = load_settings(config or config_file())
    run_until_stopped(CustodyProcess, settings)


def config(*, config: Config = None) -> None:
    """Print the settings of the scaled processes as they are now, secrets masked."""
    from sixgate.scaled.settings import load_settings, shown

    plain = orjson.dumps(shown(load_settings(config or config_file())), option=orjson.OPT_INDENT_2)
    screen().print(plain.decode(), highlight=False, soft_wrap=True)


def publish(*, config: Config = None) -> None:
    """Put the organisation that sixgate init founded in the data folder on Kafka, for ever."""
    from sixgate.data_folder.folder import Folder
    from sixgate.scaled.publishing import publish as send
    from sixgate.scaled.settings import load_settings

    settings = load_settings(config or config_file())
    folder = Folder(settings.data)
    with speaking_as(Principal.OPERATORS):
        sent = asyncio.run(send(settings.kafka.broker("sixgate-publish"), folder))
    told = f"{sent.records} registry records and {sent.requests} key requests were sent to Kafka."
    notices().print(told if any(sent) else "All of it is on Kafka already.", highlight=False)
