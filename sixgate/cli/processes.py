"""The pipeline as separate processes: ``sixgate gates``, ``signer``, ``config``, ``publish``."""

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer

from sixgate.cli.config_option import config_file
from sixgate.cli.terminal import notices, screen

Config = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings (TOML); SIXGATE_… overrides them."),
]


def gates(*, config: Config = None) -> None:
    """Run the gates on Kafka until SIGTERM."""
    from sixgate.scaled.gating import GatesProcess  # noqa: PLC0415 - Faust takes a while to load
    from sixgate.scaled.process import run_process  # noqa: PLC0415
    from sixgate.scaled.settings import load_settings  # noqa: PLC0415

    settings = load_settings(config or config_file())
    run_process(GatesProcess(settings), settings.monitor)


def signer(
    *,
    config: Config = None,
    slots: Annotated[
        str | None, typer.Option(metavar="0-3", help="Which slots; over the settings.")
    ] = None,
) -> None:
    """Run the signer of some slots on Kafka until SIGTERM."""
    from sixgate.scaled.process import run_process  # noqa: PLC0415
    from sixgate.scaled.settings import load_settings  # noqa: PLC0415
    from sixgate.scaled.signing import SignerProcess  # noqa: PLC0415

    settings = load_settings(config or config_file(), slots=slots)
    run_process(SignerProcess(settings), settings.monitor)


def config(*, config: Config = None) -> None:
    """Print the settings of the scaled processes as they are now, secrets masked."""
    from sixgate.scaled.settings import load_settings, shown  # noqa: PLC0415

    plain = orjson.dumps(shown(load_settings(config or config_file())), option=orjson.OPT_INDENT_2)
    screen().print(plain.decode(), highlight=False, soft_wrap=True)


def publish(*, config: Config = None) -> None:
    """Put the organisation that sixgate init founded in the data folder on Kafka, for ever."""
    from sixgate.folder import Folder  # noqa: PLC0415
    from sixgate.scaled.publishing import publish as send  # noqa: PLC0415
    from sixgate.scaled.settings import load_settings  # noqa: PLC0415

    settings = load_settings(config or config_file())
    folder = Folder(settings.data)
    sent = asyncio.run(send(settings.kafka.broker("sixgate-publish"), folder))
    told = f"{sent.records} registry records and {sent.requests} key requests were sent to Kafka."
    notices().print(told if any(sent) else "All of it is on Kafka already.", highlight=False)
