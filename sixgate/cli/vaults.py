"""``sixgate vaults``: creates and shows vaults; a custody mode cannot be changed later."""

from schemas.custody import KEY_VAULTS, CustodyMode
from schemas.registry import VaultCreated
from signer.custody.modes import PLANS
from sixgate.api import Json
from sixgate.cli.declare import Option, argument, group
from sixgate.cli.exit_codes import CommandError, ExitCode
from sixgate.cli.inputs import entry
from sixgate.cli.options import account_filter
from sixgate.cli.render import Field, prints, sheet, table
from sixgate.cli.session import Session, with_session
from sixgate.cli.terminal import notice
from sixgate.cli.vault_backups import backup, restore
from sixgate.cli.vault_keys import rotate_key
from sixgate.cli.vault_options import (
    MODE,
    MODES_HELP,
    account_option,
    providers_option,
    vault_argument,
)
from sixgate.cli.vault_recovery import recover

NEEDS: dict[CustodyMode, str] = {
    "envelope": "the root's KMS",
    "2of2_client_custody": "the root's KMS and the client's share",
    "2of3_multi_hsm": "two providers",
    "2of3_client_custody": "one provider and the client's share",
    "2of3_multi_hsm_client": "two providers and the client's share",
}
"""Parties needed for a read; details are in ``docs/custody-modes.md``."""
app = group("vaults", example="list")
for _command in (backup, restore, recover):
    app.add_command(_command)


@app.command(
    "create",
    example="prod --account treasury\n"
    "cold --account treasury --mode 2of3_multi_hsm --providers gcp,aws,azure",
)
@vault_argument
@account_option
@Option("--mode", MODES_HELP, type=MODE, show_default="envelope")
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
@prints(_VAULTS)
@with_session
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
@prints(_VAULT)
@with_session
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
    known = [v for v in here.registry["vaults"] if (v["account"], v["vault"]) == (owner, vault)]
    found = known[0] if known else _create(here, owner, vault, mode, providers)
    # Providers in another order are others: the order decides who is asked first.
    if found["mode"] != mode or providers not in (None, list(found["providers"])):
        raise CommandError(ExitCode.REFUSED, _immutable(found))
    _print_created(found)


app.add_command(rotate_key)


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
