"""Options and arguments that commands about vaults and secrets share."""

from typing import Annotated, get_args

import typer

from schemas import fields
from schemas.custody import PROVIDERS, CustodyMode
from sixgate.authoring.form_fields import matching
from sixgate.cli.options import ACCOUNT_DEFAULT, checked_name

MODES = get_args(CustodyMode)
_vault_name = matching(
    fields.VaultName, "must be a name: lower-case letters, digits, '.', '_' and '-'"
)


def _checked_vault(value: str | None) -> str | None:
    try:
        return value if value is None else str(_vault_name(value))
    except ValueError as error:
        raise typer.BadParameter(f"{value!a} {error}") from None


def _checked_mode(value: str | None) -> str | None:
    if value is None or value in MODES:
        return value
    raise typer.BadParameter(f"{value!a} is no custody mode: there are {', '.join(MODES)}")


def _checked_providers(value: str | None) -> str | None:
    for name in value.split(",") if value else ():
        if name.strip() not in PROVIDERS:  # a vault of a name that no settings can mean stays shut
            known = ", ".join(PROVIDERS)
            raise typer.BadParameter(f"{name.strip()!a} is no provider: there are {known}")
    return value


Vault = Annotated[
    str, typer.Argument(metavar="VAULT", callback=_checked_vault, help="The vault's name.")
]
MaybeVault = Annotated[
    str | None,
    typer.Option("--vault", metavar="VAULT", callback=_checked_vault, help="One vault; else all."),
]
KeyVault = Annotated[
    str | None,
    typer.Option(
        "--vault", metavar="VAULT", callback=_checked_vault, help="Of keys; else the usual one."
    ),
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="NAME",
        callback=checked_name,
        help=f"Whose vault; else {ACCOUNT_DEFAULT}'s, or that of the only account.",
    ),
]
Mode = Annotated[
    str, typer.Argument(metavar="MODE", callback=_checked_mode, help="A custody mode.")
]
MaybeMode = Annotated[
    str | None,
    typer.Option(
        "--mode", metavar="MODE", callback=_checked_mode, help=f"One of {', '.join(MODES)}."
    ),
]
Providers = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,C",
        callback=_checked_providers,
        help="Who holds shares, in this order; else gcp,aws,azure.",
    ),
]
Root = Annotated[
    bool, typer.Option("--root", help="Keep the key, and wrap it by the root that is set now.")
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        callback=checked_name,
        help="With --root: the provider whose shares come under its new root.",
    ),
]
