"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ACCOUNT_DEFAULT = "main"
NO_PATHS = [""]
DATA_DEFAULT = Path("sixgate-data")
DATA_VARIABLE = "SIXGATE_DATA"
CONFIG_VARIABLE = "SIXGATE_CONFIG"


def checked_name(value: str | None) -> str | None:
    """Return a name as Typer's callback, or say what is wrong with it."""
    if value is None:
        return None
    from sixgate.authoring import form_fields

    try:
        return str(form_fields.name(value))
    except ValueError as error:
        raise typer.BadParameter(f"{value!a} {error}") from None


def checked_names(values: list[str] | None) -> list[str] | None:
    """Return names as Typer's callback; a list that was not said stays absent."""
    return [name for name in map(checked_name, values) if name] if values else None


def _paths(values: list[str] | None) -> list[str]:
    """Check key paths; one empty word stands for none, as Typer takes an empty list for unsaid."""
    found = values or []
    return found if found == NO_PATHS else [path for value in found if (path := _path(value))]


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


Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", envvar=DATA_VARIABLE, help="The data folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Agent = Annotated[
    str, typer.Argument(metavar="AGENT", callback=checked_name, help="The agent's name.")
]
MaybeAgent = Annotated[
    str | None, typer.Option("--agent", metavar="NAME", callback=checked_name, help="An agent.")
]
MaybeAccount = Annotated[
    str | None, typer.Option("--account", metavar="NAME", callback=checked_name, help="An account.")
]
KeyPath = Annotated[
    str | None,
    typer.Argument(metavar="PATH", callback=_path, help="Where the key stands."),
]
KeyPaths = Annotated[
    list[str] | None,
    typer.Option(
        "--key-path",
        metavar="PATH",
        callback=_paths,
        help="A key it may use (repeatable); replaces; '' takes all back.",
    ),
]
Chain = Annotated[str, typer.Argument(metavar="CHAIN", help="A chain's name, alias or id.")]
