"""Options and arguments of the commands that still use Typer."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sixgate.cli.options import ACCOUNT_DEFAULT, CONFIG_VARIABLE, DATA_DEFAULT, DATA_VARIABLE

__all__ = ["ACCOUNT_DEFAULT", "CONFIG_VARIABLE", "DATA_DEFAULT", "DATA_VARIABLE"]


def checked_name(value: str | None) -> str | None:
    """Validate a name (a Typer callback)."""
    if value is None:
        return None
    from sixgate.authoring import form_fields

    try:
        return str(form_fields.name(value))
    except ValueError as error:
        raise typer.BadParameter(f"{value!a} {error}") from None


def checked_names(values: list[str] | None) -> list[str] | None:
    """Validate names (a Typer callback); an option that was not given stays None."""
    return [name for name in map(checked_name, values) if name] if values else None


def _path(value: str | None) -> str | None:
    if value is None:
        return None
    from sixgate.authoring import form_fields
    from sixgate.authoring.key_text import ON_THE_COMMAND_LINE, looks_like_a_key

    try:
        return str(form_fields.key_path(value))
    except ValueError as error:
        if looks_like_a_key(str(value)):
            raise typer.BadParameter(f"it {ON_THE_COMMAND_LINE}") from None
        raise typer.BadParameter(f"{value!a} {error}") from None


def name_option(flag: str, text: str, **more: Any) -> Any:
    """Declare an option whose value is a name."""
    return typer.Option(flag, metavar="NAME", callback=checked_name, help=text, **more)


Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", envvar=DATA_VARIABLE, help="Data folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Agent = Annotated[
    str, typer.Argument(metavar="AGENT", callback=checked_name, help="Name of the agent.")
]
AgentFilter = Annotated[str | None, name_option("--agent", "Show only this agent.")]
AccountFilter = Annotated[str | None, name_option("--account", "Show only this account.")]
KeyPath = Annotated[
    str | None,
    typer.Argument(metavar="PATH", callback=_path, help="Path of the key."),
]
Chain = Annotated[str, typer.Argument(metavar="CHAIN", help="Name, alias or id of a chain.")]
