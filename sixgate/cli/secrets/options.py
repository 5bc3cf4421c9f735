"""Options and arguments of the commands about secrets."""

from pathlib import Path
from typing import Annotated, get_args

import typer

from schemas import fields
from schemas.vault_events import SecretKind
from sixgate.authoring.form_fields import matching
from sixgate.cli.options import checked_name

KINDS = get_args(SecretKind)
_secret_path = matching(
    fields.SecretPath, "must be a path such as db/password: up to 8 parts, none begins with a dot"
)


def _checked_path(value: str) -> str:
    try:
        return str(_secret_path(value))
    except ValueError as error:
        raise typer.BadParameter(f"{value!a} {error}") from None


def _checked_kind(value: str | None) -> str | None:
    if value is None or value in KINDS:
        return value
    raise typer.BadParameter(f"{value!a} is no kind: there are {', '.join(KINDS)}")


SecretPath = Annotated[
    str, typer.Argument(metavar="PATH", callback=_checked_path, help="Where the secret lies.")
]
Reader = Annotated[
    str,
    typer.Option(
        "--agent", metavar="NAME", callback=checked_name, help="Who reads; its key signs for it."
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        "--kind", metavar="KIND", callback=_checked_kind, help=f"One of {', '.join(KINDS)}."
    ),
]
Value = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE|-", allow_dash=True, help="The value, byte by byte; - reads stdin."
    ),
]
Generate = Annotated[
    bool | None,
    typer.Option("--generate", help="Let the signer draw the value; a key is read by nobody."),
]
Version = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="Which version; else the newest.")
]
ShareOut = Annotated[
    Path | None,
    typer.Option(
        "--share-out",
        metavar="FILE",
        help="Where the client's share goes, in a mode that has one.",
    ),
]
Share = Annotated[
    Path | None,
    typer.Option("--share", metavar="FILE", help="The client's share, in a mode that has one."),
]
CustomerKey = Annotated[
    Path | None,
    typer.Option("--customer-key", metavar="FILE", help="The customer's own key (sixgate cmek)."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="A new private file; else standard output."),
]
