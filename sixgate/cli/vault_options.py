"""Options, arguments and types of values for vaults and the secrets in them."""

from functools import partial
from typing import get_args

import click

from schemas import fields
from schemas.registry.custody import PROVIDERS, CustodyMode
from sixgate.authoring.form_fields import matching
from sixgate.cli.declare import Option, argument
from sixgate.cli.options import ACCOUNT_DEFAULT, FILE, NAME, Checked, one_of, quoted

_vault_name = matching(
    fields.VaultName, "must be a name: lower-case letters, digits, '.', '_' and '-'"
)
_secret_path = matching(
    fields.SecretPath,
    "must be a path such as db/password: up to 8 parts that do not begin with a dot",
)
_MODES = get_args(CustodyMode)


def _providers(value: str) -> list[str]:
    names = [name.strip() for name in value.split(",")]
    for name in names:
        if name not in PROVIDERS:  # no settings could open such a vault
            known = ", ".join(PROVIDERS)
            raise ValueError(f"{name!a} is not a provider: choose from {known}")
    return names


VAULT = Checked("vault", partial(quoted, _vault_name))
SECRET_PATH = Checked("path", partial(quoted, _secret_path))
MODE = one_of("custody mode", _MODES)
MODES_HELP = f"One of {', '.join(_MODES)}."
vault_argument = argument("VAULT", "Name of the vault.", type=VAULT)
path_argument = argument("PATH", "Path of the secret.", type=SECRET_PATH)
account_option = Option(
    "--account",
    "Account of the vault.",
    type=NAME,
    show_default=f"{ACCOUNT_DEFAULT}, or the only account",
)
providers_option = Option(
    "--providers A,B,C",
    "Providers that hold shares, in this order.",
    type=Checked("providers", _providers),
    show_default="gcp,aws,azure",
)
version_option = Option(
    "--version N", "Version.", type=click.IntRange(min=1), show_default="the newest"
)
share_out = Option(
    "--share-out FILE", "New file for the client share, in a mode that has one.", type=FILE
)
customer_key_option = Option(
    "--customer-key FILE", "File with the customer key (sixgate cmek).", type=FILE
)
reader_option = Option(
    "--agent", "Agent that reads; its key in the folder signs.", type=NAME, required=True
)
