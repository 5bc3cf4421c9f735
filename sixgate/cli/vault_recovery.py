"""``sixgate vaults recover``: replaces a client's lost share of a secret or key."""

from functools import partial
from pathlib import Path

from schemas import fields
from signer.custody.modes import PLANS
from sixgate.api import Json
from sixgate.authoring.form_fields import matching
from sixgate.authoring.vault_orders import LostShare, VaultId, recover_share
from sixgate.cli.client_shares import client_of
from sixgate.cli.declare import Option, argument, command
from sixgate.cli.exit_codes import CommandError, ExitCode
from sixgate.cli.options import Checked, quoted
from sixgate.cli.render import Answer, View, prints
from sixgate.cli.session import Session, fail_usage, not_found, with_session
from sixgate.cli.terminal import notice, print_json
from sixgate.cli.vault_options import (
    SECRET_PATH,
    account_option,
    share_out,
    vault_argument,
    version_option,
)

_public_key = matching(fields.X25519PublicKey, "must be an X25519 key: 0x and 64 hex digits")


def _why(value: str) -> str:
    if len(value.strip()) > 0 and len(value) <= fields.TEXT_MAX:
        return value
    raise ValueError(f"give a reason of 1 to {fields.TEXT_MAX} characters")


def _recovered(made: Json, *, sealed: bool) -> list[View]:
    if sealed:
        print_json(made)  # the caller needs the sealed share
        return []
    done = f"Replaced the client share of {made['path']}, version {made['version']}"
    notice(f"{done}; the former share no longer fits.")
    return []


@command(
    "recover",
    example=(
        'cold seed --account treasury --share-out seed.share --why "the laptop with the '
        'share was lost"'
    ),
)
@vault_argument
@argument("PATH", "Path of the secret or key.", type=SECRET_PATH)
@Option("--why TEXT", "Reason; recorded permanently.", type=Checked("text", _why), required=True)
@version_option
@share_out
@Option(
    "--share-for KEY",
    "Seal the share to the client's X25519 key instead of writing a file.",
    type=Checked("key", partial(quoted, _public_key)),
)
@account_option
@prints(_recovered)
@with_session
def recover(  # noqa: PLR0913 - one parameter per option
    here: Session,
    *,
    vault: str,
    path: str,
    why: str,
    version: int | None,
    share_out: Path | None,
    share_for: str | None,
    account: str | None,
) -> Answer:
    """Replace a lost client share of a secret or key, in mode 2of3_client_custody."""
    vault_id = VaultId(here.account(account), vault)
    found = here.vault(*vault_id)
    if not PLANS[found["mode"]].recoverable:
        raise CommandError(ExitCode.REFUSED, _unrecoverable(found))
    if share_for and share_out:
        fail_usage("the share goes to one client: give --share-for or --share-out, not both")
    newest = _newest(here, vault_id, path)
    client = None if share_for else client_of(here.folder, found, path, share_out)
    to = share_for or (client.share_for if client else "")
    by, lost = here.orderer(), LostShare(path, version or newest, to, why)

    def ordered() -> Json:
        return recover_share(by, vault_id, lost)

    made = client.make_version(here, ordered, "run the recovery again") if client else ordered()
    return Answer(made, sealed=share_for is not None)


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
