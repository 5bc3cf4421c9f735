"""``sixgate vaults``: creates and shows vaults, and replaces a client's lost share."""

from functools import partial
from pathlib import Path

from schemas import fields
from schemas.registry.custody import KEY_VAULTS, CustodyMode
from schemas.registry.records import VaultCreated
from signer.custody.custody_modes import PLANS
from sixgate.api import Json
from sixgate.authoring.form_fields import matching
from sixgate.authoring.vault_orders import LostShare, VaultId, recover_share
from sixgate.cli.client_shares import client_of
from sixgate.cli.declare import Option, argument, group
from sixgate.cli.exit_codes import CommandError, ExitCode, fail_usage
from sixgate.cli.options import Checked, account_filter, quoted
from sixgate.cli.render import Answer, Field, View, sheet, table
from sixgate.cli.session import Session, entry, known, shows, with_session
from sixgate.cli.terminal import notice, print_json
from sixgate.cli.vault_backups import backup, restore
from sixgate.cli.vault_keys import rotate_key
from sixgate.cli.vault_options import (
    MODE,
    MODES_HELP,
    SECRET_PATH,
    account_option,
    providers_option,
    share_out,
    vault_argument,
    version_option,
)

_PUBLIC_KEY = matching(fields.X25519PublicKey, "must be an X25519 key: 0x and 64 hex digits")
NEEDS: dict[CustodyMode, str] = {
    "envelope": "the root's KMS",
    "2of2_client_custody": "the root's KMS and the client's share",
    "2of3_multi_hsm": "two providers",
    "2of3_client_custody": "one provider and the client's share",
    "2of3_multi_hsm_client": "two providers and the client's share",
}
"""Parties needed for a read; details are in ``docs/custody-modes.md``."""
app = group("vaults", example="list")
for _command in (backup, restore, rotate_key):
    app.add_command(_command)


@app.command(
    "create",
    example="prod --account treasury\n"
    "cold --account treasury --mode 2of3_multi_hsm --providers gcp,aws,azure",
)
@vault_argument
@account_option
@Option("--mode MODE", MODES_HELP, type=MODE, show_default="envelope")
@providers_option
@with_session
def create(
    here: Session,
    *,
    vault: str,
    account: str | None,
    mode: str | None,
    providers: list[str] | None,
) -> None:
    """Create a vault of an account. Its custody mode cannot be changed later."""
    owner = here.account(account)
    if vault not in KEY_VAULTS:  # key vaults are created before their account is opened
        here.require_account(owner)
    _print_created(_create(here, owner, vault, mode, providers))


_VAULTS = table(
    Field("account"),
    Field("vault"),
    Field("mode"),
    Field("providers", lambda one: ",".join(one["providers"])),
)


@app.command("list", example="--account treasury --json")
@account_filter
@shows(_VAULTS)
def list_(here: Session, *, account: str | None) -> list[Json]:
    """List all vaults with their custody modes."""
    if account is not None:
        here.require_account(account)
    return [v for v in here.registry["vaults"] if account in (None, v["account"])]


_VAULT = sheet(
    Field("vault"),
    Field("account"),
    Field("mode"),
    Field("reading needs", "reading_needs"),
    Field("providers", lambda v: ", ".join(v["providers"]) or "- (the vault has its own key)"),
    Field("customer key", lambda v: (v["customer_keys"] or ["-"])[-1]),
    Field("versions of secrets", lambda v: len(v["secrets"])),
    Field("key changes", lambda v: v["key_changes"] or 0),
    Field("under a former key", "behind"),
    Field("under a former root", lambda v: _under_former_roots(v) or "-"),
    Field("agents", lambda v: ", ".join(v["agents"]) or "no grants"),
)


@app.command("show", example="prod --account treasury --json")
@vault_argument
@account_option
@shows(_VAULT)
def show(here: Session, *, vault: str, account: str | None) -> Json:
    """Show a vault: its mode, the parties needed for a read, and agents with grants."""
    owner = here.account(account)
    found = here.vault(owner, vault)
    granted = {"reading_needs": NEEDS[found["mode"]], "agents": _granted(here, owner, vault)}
    return found | granted | here.api.vault(owner, vault)


@app.command("set-mode", example="__agent-keys 2of3_multi_hsm")
@vault_argument
@argument("MODE", MODES_HELP, type=MODE)
@account_option
@providers_option
@with_session
def set_mode(
    here: Session, *, vault: str, mode: str, account: str | None, providers: list[str] | None
) -> None:
    """Choose the mode of an automatically created vault before it is created.

    Run it before the account is opened: for __agent-keys, and for __treasury-keys if the setting
    org.tier is pro, team, business or enterprise. The mode of an existing vault cannot be changed.
    """
    owner = here.account(account)
    found = here.vaults().get((owner, vault)) or _create(here, owner, vault, mode, providers)
    # Providers in another order are others: the order decides who is asked first.
    if found["mode"] != mode or providers not in (None, list(found["providers"])):
        raise CommandError(ExitCode.REFUSED, _immutable(found))
    _print_created(found)


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


@app.command(
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
    type=Checked("key", partial(quoted, _PUBLIC_KEY)),
)
@account_option
@shows(_recovered)
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
    return known("secret or key", path, versions)


def _unrecoverable(found: Json) -> str:
    why = f"{found['vault']} has mode {found['mode']}, which has no recovery"
    if not PLANS[found["mode"]].needs_client:
        return f"{why}: it has no client share that could be lost"
    return (
        f"{why}: without the client share its secrets cannot be opened; use a vault of mode "
        "2of3_client_custody for new secrets"
    )


def _create(
    here: Session, account: str, vault: str, mode: str | None, providers: list[str] | None
) -> Json:
    here.register(entry(VaultCreated, account=account, vault=vault, mode=mode, providers=providers))
    return here.vault(account, vault)


def _granted(here: Session, account: str, vault: str) -> list[str]:
    return sorted(
        agent
        for agent, grants in here.registry["access"].items()
        if here.agent(agent)["account"] == account
        and any(grant["vault"] in ("*", vault) for grant in grants)
    )


def _under_former_roots(content: Json) -> str:
    roots = content["roots"].items()
    return ", ".join(f"{root['left']} shares of {who}" for who, root in roots if root["left"])


def _immutable(found: Json) -> str:
    terms = " of ".join(filter(None, (found["mode"], ",".join(found["providers"]))))
    return (
        f"{found['vault']} of {found['account']} is {terms}, which cannot be changed: its secrets "
        "are sealed under these terms, and a change could weaken them; create another vault with "
        "sixgate vaults create"
    )


def _print_created(made: Json) -> None:
    vault, mode = f"{made['vault']} of {made['account']}", made["mode"]
    notice(f"Vault {vault} has mode {mode}, which is permanent. Reading needs {NEEDS[mode]}.")
    plan = PLANS[mode]
    if plan.needs_client:
        lost = "replace it with sixgate vaults recover" if plan.recoverable else "so is the secret"
        notice(f"Each secret has a share that only the client holds. If it is lost, {lost}.")
