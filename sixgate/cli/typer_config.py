"""``--config`` for the commands that still use Typer."""

import functools
import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from sixgate.cli.options import CONFIG_VARIABLE, config_file, use_config, use_insecure_dev
from sixgate.cli.typer_shared_options import Command

__all__ = ["Config", "InsecureDev", "config_file", "use_config", "use_insecure_dev"]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        show_default=CONFIG_VARIABLE,
        help="Settings file (TOML): connect to Kafka, or use its KMSs.",
    ),
]


InsecureDev = Annotated[
    bool,
    typer.Option(
        "--insecure-dev",
        help="Allow missing TLS, and topics and rights that are weaker than declared.",
    ),
]


def add_config_option(app: typer.Typer) -> None:
    """Add ``--config`` to every command of an app and its groups that takes ``--data``."""
    for group in app.registered_groups:
        if group.typer_instance is not None:
            add_config_option(group.typer_instance)
    for command in app.registered_commands:
        if command.callback is not None:
            own = inspect.signature(command.callback, eval_str=True)
            if "data" in own.parameters and "config" not in own.parameters:
                command.callback = _with_config(command.callback, own)


def _with_config(command: Command, own: inspect.Signature) -> Command:
    @functools.wraps(command)
    def wrapped(*, config: Path | None = None, **values: Any) -> None:
        use_config(config)
        command(**values)

    kind = inspect.Parameter.KEYWORD_ONLY
    option = inspect.Parameter("config", kind, default=None, annotation=Config)
    both = [*own.parameters.values(), option]
    wrapped.__signature__ = own.replace(parameters=both)  # type: ignore[attr-defined]  # inspect's own protocol
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
    return wrapped
