"""``sixgate vaults recover``: a client that lost its share of a secret gets another one."""

from typing import Annotated

import typer

from schemas import fields
from signer.custody.modes import PLANS
from sixgate.api import Json
from sixgate.authoring.form_fields import matching
from sixgate.authoring.vault_orders import LostShare, VaultId, recover_share
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data
from sixgate.cli.secrets.client_shares import client_of
from sixgate.cli.secrets.options import SecretPath, ShareOut, Version
from sixgate.cli.secrets.parties import orderer
from sixgate.cli.session import Session, not_found, session, usage
from sixgate.cli.terminal import notices, print_json
from sixgate.cli.vaults.options import Account, Vault

_public_key = matching(fields.X25519PublicKey, "must be an X25519 key: 0x and 64 hex digits")


def _checked_client(value: str | None) -> str | None:
    try:
        return value if value is None else str(_public_key(value))
    except ValueError as error:
        raise typer.BadParameter(f"{value!a} {error}") from None


def _checked_why(value: str) -> str:
    if len(value.strip()) > 0 and len(value) <= fields.TEXT_MAX:
        return value
    raise typer.BadParameter(f"say why, in at most {fields.TEXT_MAX} characters")


Why = Annotated[
    str,
    typer.Option(metavar="TEXT", callback=_checked_why, help="Why; it is on record for ever."),
]
ShareFor = Annotated[
    str | None,
    typer.Option(
        "--share-for",
        metavar="KEY",
        callback=_checked_client,
        help="The client's own X25519 key, instead of a file here.",
    ),
]


def recover(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    vault: Vault,
    path: SecretPath,
    why: Why,
    version: Version = None,
    share_out: ShareOut = None,
    share_for: ShareFor = None,
    account: Account = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Replace a client's lost share of a secret or key, in 2of3_client_custody; nobody reads it."""
    with session(data) as here:
        place = VaultId(here.account(account), vault)
        found = here.vault(*place)
        if not PLANS[found["mode"]].recoverable:
            raise CommandError(ExitCode.REFUSED, _unrecoverable(found))
        if share_for and share_out:
            usage("the share goes to one client: say --share-for or --share-out")
        newest = _newest(here, place, path)
        client = None if share_for else client_of(here.folder, found, path, share_out)
        to = share_for or (client.share_for if client else "")
        by = orderer(here)
        lost = LostShare(path, version or newest, to, why)

        def ordered() -> Json:
            return recover_share(by, place, lost)

        made = client.made(here, ordered, "recover it once more") if client else ordered()
    _tell(made, as_json=as_json, boxed=share_for is not None)


def _newest(here: Session, place: VaultId, path: str) -> int:
    """Return the newest version of a secret, or of a key; end the command where there is none."""
    secrets = here.api.vault(*place)["secrets"]
    keys = [k for k in here.registry["keys"] if (k["account"], k["vault"]) == place]
    versions = {one["path"]: int(one["version"]) for one in (*secrets, *keys)}
    if path not in versions:
        not_found("secret or key", path, versions)
    return versions[path]


def _unrecoverable(found: Json) -> str:
    told = f"{found['vault']} is {found['mode']}, which has no recovery"
    if not PLANS[found["mode"]].needs_client:
        return f"{told}: no client has a share in it that could be lost"
    return (
        f"{told}: without the client's share its secrets open for nobody; a vault of mode "
        "2of3_client_custody has one"
    )


def _tell(made: Json, *, as_json: bool, boxed: bool) -> None:
    if as_json or boxed:
        print_json(made)
        return
    told = f"The client's share of {made['path']}, version {made['version']}, is a new one"
    fits = "the former one fits none of the shares that count now"
    notices().print(f"{told}; {fits}.", highlight=False)
