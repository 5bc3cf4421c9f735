"""Options and arguments for secrets."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from schemas import fields
from schemas.vault_events import SecretKind
from sixgate.authoring.form_fields import matching
from sixgate.cli.typer_options import checked_name, name_option

KINDS = get_args(SecretKind)
_secret_path = matching(
    fields.SecretPath,
    "must be a path such as db/password: up to 8 parts that do not begin with a dot",
)


def _checked_path(value: str) -> str:
    try:
        return str(_secret_path(value))
    except ValueError as error:
        raise typer.BadParameter(f"{value!a} {error}") from None


def _checked_kind(value: str | None) -> str | None:
    if value is None or value in KINDS:
        return value
    raise typer.BadParameter(f"{value!a} is not a kind: choose one of {', '.join(KINDS)}")


SecretPath = Annotated[
    str, typer.Argument(metavar="PATH", callback=_checked_path, help="Path of the secret.")
]
SecretOrKeyPath = Annotated[
    str, typer.Argument(metavar="PATH", callback=_checked_path, help="Path of the secret or key.")
]
Reader = Annotated[
    str,
    typer.Option(
        "--agent",
        metavar="NAME",
        callback=checked_name,
        help="Agent that reads; its key in the folder signs.",
    ),
]
MaybeReader = Annotated[
    str | None,
    name_option("--agent", "Read as this agent; its key in the folder signs."),
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind",
        metavar="KIND",
        callback=_checked_kind,
        show_default="password",
        help=f"One of {', '.join(KINDS)}.",
    ),
]
Value = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE|-", allow_dash=True, help="File with the value; - reads standard input."
    ),
]
Generate = Annotated[
    bool | None,
    typer.Option(
        "--generate", help="Let the signer generate the value. A generated key cannot be read."
    ),
]
Version = Annotated[
    int | None, typer.Option(min=1, metavar="N", show_default="the newest", help="Version.")
]
ShareOut = Annotated[
    Path | None,
    typer.Option(
        "--share-out",
        metavar="FILE",
        help="New file for the client share, in a mode that has one.",
    ),
]
Share = Annotated[
    Path | None,
    typer.Option(
        "--share", metavar="FILE", help="File with the client share, in a mode that has one."
    ),
]
CustomerKey = Annotated[
    Path | None,
    typer.Option(
        "--customer-key", metavar="FILE", help="File with the customer key (sixgate cmek)."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", show_default="standard output", help="New private file."),
]
