"""``sixgate vaults recover``: replaces a client's lost share of a secret or key."""

from typing import Annotated

import typer

from schemas import fields
from signer.custody.modes import PLANS
from sixgate.api import Json
from sixgate.authoring.form_fields import matching
from sixgate.authoring.vault_orders import LostShare, VaultId, recover_share
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.secrets.client_shares import client_of
from sixgate.cli.secrets.options import SecretOrKeyPath, ShareOut, Version
from sixgate.cli.secrets.parties import orderer
from sixgate.cli.session import Session, fail_usage, not_found, session
from sixgate.cli.terminal import notices, print_json
from sixgate.cli.typer_options import DATA_DEFAULT, AsJson, Data
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
    raise typer.BadParameter(f"give a reason of 1 to {fields.TEXT_MAX} characters")


Why = Annotated[
    str,
    typer.Option(metavar="TEXT", callback=_checked_why, help="Reason; recorded permanently."),
]
ShareFor = Annotated[
    str | None,
    typer.Option(
        "--share-for",
        metavar="KEY",
        callback=_checked_client,
        help="Seal the share to the client's X25519 key instead of writing a file.",
    ),
]


def recover(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    vault: Vault,
    path: SecretOrKeyPath,
    why: Why,
    version: Version = None,
    share_out: ShareOut = None,
    share_for: ShareFor = None,
    account: Account = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Replace a lost client share of a secret or key, in mode 2of3_client_custody."""
    with session(data) as here:
        vault_id = VaultId(here.account(account), vault)
        found = here.vault(*vault_id)
        if not PLANS[found["mode"]].recoverable:
            raise CommandError(ExitCode.REFUSED, _unrecoverable(found))
        if share_for and share_out:
            fail_usage("the share goes to one client: give --share-for or --share-out, not both")
        newest = _newest(here, vault_id, path)
        client = None if share_for else client_of(here.folder, found, path, share_out)
        to = share_for or (client.share_for if client else "")
        by = orderer(here)
        lost = LostShare(path, version or newest, to, why)

        def ordered() -> Json:
            return recover_share(by, vault_id, lost)

        made = client.make_version(here, ordered, "run the recovery again") if client else ordered()
    _print(made, as_json=as_json, sealed=share_for is not None)


def _newest(here: Session, vault_id: VaultId, path: str) -> int:
    """Return the newest version of a secret or key; an unknown path ends the command."""
    secrets = here.api.vault(*vault_id)["secrets"]
    keys = [k for k in here.registry["keys"] if (k["account"], k["vault"]) == vault_id]
    versions = {one["path"]: int(one["version"]) for one in (*secrets, *keys)}
    if path not in versions:
        not_found("secret or key", path, versions)
    return versions[path]


def _unrecoverable(found: Json) -> str:
    why = f"{found['vault']} has mode {found['mode']}, which has no recovery"
    if not PLANS[found["mode"]].needs_client:
        return f"{why}: it has no client share that could be lost"
    return (
        f"{why}: without the client share its secrets cannot be opened; use a vault of mode "
        "2of3_client_custody for new secrets"
    )


def _print(made: Json, *, as_json: bool, sealed: bool) -> None:
    if as_json or sealed:
        print_json(made)
        return
    done = f"Replaced the client share of {made['path']}, version {made['version']}"
    notices().print(f"{done}; the former share no longer fits.", highlight=False)
