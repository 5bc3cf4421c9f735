"""Options and arguments for vaults."""

from typing import Annotated, get_args

import typer

from schemas import fields
from schemas.custody import PROVIDERS, CustodyMode
from sixgate.authoring.form_fields import matching
from sixgate.cli.typer_options import ACCOUNT_DEFAULT, checked_name

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
    raise typer.BadParameter(f"{value!a} is not a custody mode: choose one of {', '.join(MODES)}")


def _checked_providers(value: str | None) -> str | None:
    for name in value.split(",") if value else ():
        if name.strip() not in PROVIDERS:  # no settings could open such a vault
            known = ", ".join(PROVIDERS)
            raise typer.BadParameter(f"{name.strip()!a} is not a provider: choose from {known}")
    return value


Vault = Annotated[
    str, typer.Argument(metavar="VAULT", callback=_checked_vault, help="Name of the vault.")
]
MaybeVault = Annotated[
    str | None,
    typer.Option(
        "--vault", metavar="VAULT", callback=_checked_vault, show_default="all", help="One vault."
    ),
]
KeyVault = Annotated[
    str | None,
    typer.Option(
        "--vault",
        metavar="VAULT",
        callback=_checked_vault,
        show_default="by the path",
        help="Vault for the key.",
    ),
]
Account = Annotated[
    str | None,
    typer.Option(
        "--account",
        metavar="NAME",
        callback=checked_name,
        show_default=f"{ACCOUNT_DEFAULT}, or the only account",
        help="Account of the vault.",
    ),
]
Mode = Annotated[
    str,
    typer.Argument(
        metavar="MODE", callback=_checked_mode, help=f"Custody mode: {', '.join(MODES)}."
    ),
]
MaybeMode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="MODE",
        callback=_checked_mode,
        show_default="envelope",
        help=f"One of {', '.join(MODES)}.",
    ),
]
Providers = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,C",
        callback=_checked_providers,
        show_default="gcp,aws,azure",
        help="Providers that hold shares, in this order.",
    ),
]
Root = Annotated[
    bool,
    typer.Option("--root", help="Keep the key and rewrap it under the root key in the settings."),
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        callback=checked_name,
        help="With --root: the provider whose shares are rewrapped under its new root key.",
    ),
]
