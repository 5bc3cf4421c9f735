"""``sixgate vaults``: creates and shows vaults; a custody mode cannot be changed later."""

import typer

from schemas.custody import KEY_VAULTS, CustodyMode
from schemas.registry import VaultCreated
from signer.custody.modes import PLANS
from sixgate.api import Json
from sixgate.cli.entries import entry
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.render import Listing, Row, Sheet, show
from sixgate.cli.session import Session, session
from sixgate.cli.terminal import notices, print_json, screen
from sixgate.cli.typer_options import DATA_DEFAULT, AccountFilter, AsJson, Data
from sixgate.cli.vaults import backups, keys, recoveries
from sixgate.cli.vaults.options import Account, MaybeMode, Mode, Providers, Vault

NEEDS: dict[CustodyMode, str] = {
    "envelope": "the root's KMS",
    "2of2_client_custody": "the root's KMS and the client's share",
    "2of3_multi_hsm": "two providers",
    "2of3_client_custody": "one provider and the client's share",
    "2of3_multi_hsm_client": "two providers and the client's share",
}
"""Parties needed for a read; details are in ``docs/custody-modes.md``."""
app = typer.Typer(
    no_args_is_help=True,
    help="Manage vaults and their custody modes, which cannot be changed later.",
    epilog="Example: sixgate vaults list",
)


app.command(
    epilog="Examples: sixgate vaults backup vaults.jsonl\n\n"
    "sixgate vaults backup prod.jsonl --vault prod --account treasury"
)(backups.backup)
app.command(epilog="Example: sixgate vaults restore vaults.jsonl")(backups.restore)
app.command(
    epilog="Example: sixgate vaults recover cold seed --account treasury --share-out seed.share "
    '--why "the laptop with the share was lost"'
)(recoveries.recover)


@app.command(
    epilog="Examples: sixgate vaults create prod --account treasury\n\n"
    "sixgate vaults create cold --account treasury --mode 2of3_multi_hsm --providers gcp,aws,azure"
)
def create(
    *,
    vault: Vault,
    account: Account = None,
    mode: MaybeMode = None,
    providers: Providers = None,
    data: Data = DATA_DEFAULT,
) -> None:
    """Create a vault of an account. Its custody mode cannot be changed later."""
    with session(data) as here:
        owner = here.account(account)
        if vault not in KEY_VAULTS:  # key vaults are created before their account is opened
            here.require_account(owner)
        made = _create(here, owner, vault, mode, providers)
    _print_created(made)


@app.command("list", epilog="Example: sixgate vaults list --account treasury --json")
def list_(
    *, account: AccountFilter = None, as_json: AsJson = False, data: Data = DATA_DEFAULT
) -> None:
    """List all vaults with their custody modes."""
    with session(data) as here:
        if account is not None:
            here.require_account(account)
        found = [v for v in here.registry["vaults"] if account in (None, v["account"])]
    if as_json:
        print_json(found)
        return
    columns = ("account", "vault", "mode", "providers")
    cells = (
        (one["account"], one["vault"], one["mode"], ",".join(one["providers"])) for one in found
    )
    show(Listing(columns, [Row(row) for row in cells]), screen())


@app.command("show", epilog="Example: sixgate vaults show prod --account treasury --json")
def show_(
    *,
    vault: Vault,
    account: Account = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Show a vault: its mode, the parties needed for a read, and agents with grants."""
    with session(data) as here:
        owner = here.account(account)
        found = here.vault(owner, vault)
        agents, content = sorted(_granted(here, owner, vault)), here.api.vault(owner, vault)
    found = found | {"reading_needs": NEEDS[found["mode"]], "agents": agents} | content
    if as_json:
        print_json(found)
        return
    pairs = [
        ("account", owner),
        ("mode", found["mode"]),
        ("reading needs", found["reading_needs"]),
        ("providers", ", ".join(found["providers"]) or "- (the vault has its own key)"),
        ("customer key", (found["customer_keys"] or ["-"])[-1]),
        ("versions of secrets", str(len(content["secrets"]))),
        ("key changes", str(content["key_changes"] or 0)),
        ("under a former key", str(content["behind"])),
        ("under a former root", _under_former_roots(content) or "-"),
        ("agents", ", ".join(agents) or "no grants"),
    ]
    show(Sheet(f"Vault {vault}", pairs), screen())


@app.command("set-mode", epilog="Example: sixgate vaults set-mode __agent-keys 2of3_multi_hsm")
def set_mode(
    *,
    vault: Vault,
    mode: Mode,
    account: Account = None,
    providers: Providers = None,
    data: Data = DATA_DEFAULT,
) -> None:
    """Choose the mode of an automatically created vault before it is created.

    Run it before the account is opened: for __agent-keys, and for __treasury-keys if the setting
    org.tier is pro, team, business or enterprise. The mode of an existing vault cannot be changed.
    """
    with session(data) as here:
        known = here.api.registry()["vaults"]
        owner = here.account(account)
        own = [one for one in known if (one["account"], one["vault"]) == (owner, vault)]
        if own and (own[0]["mode"] != mode or _differs(own[0], providers)):
            raise CommandError(ExitCode.REFUSED, _immutable(own[0]))
        if not own:
            own.append(_create(here, owner, vault, mode, providers))
    _print_created(own[0])


app.command(
    "rotate-key",
    epilog="Examples: sixgate vaults rotate-key prod --account treasury\n\n"
    "sixgate vaults rotate-key prod --account treasury --root\n\n"
    "sixgate vaults rotate-key cold --account treasury --root --provider aws",
)(keys.rotate_key)


def _create(
    here: Session, account: str, vault: str, mode: str | None, providers: str | None
) -> Json:
    record = entry(
        VaultCreated, account=account, vault=vault, mode=mode, providers=_named(providers)
    )
    here.register(record)
    return here.vault(account, vault)


def _named(providers: str | None) -> list[str] | None:
    return [name.strip() for name in providers.split(",")] if providers else None


def _differs(found: Json, providers: str | None) -> bool:
    """Return whether providers are given and differ from the vault's, or in another order."""
    return providers is not None and found["providers"] != _named(providers)


def _granted(here: Session, account: str, vault: str) -> set[str]:
    return {
        agent
        for agent, grants in here.registry["access"].items()
        if here.agent(agent)["account"] == account
        and any(grant["vault"] in ("*", vault) for grant in grants)
    }


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
    line = (
        f"Vault {made['vault']} of {made['account']} has mode {made['mode']}, which is permanent."
    )
    notices().print(f"{line} Reading needs {NEEDS[made['mode']]}.", highlight=False)
    plan = PLANS[made["mode"]]
    if plan.needs_client:
        lost = "replace it with sixgate vaults recover" if plan.recoverable else "so is the secret"
        line = "Each secret has a share that only the client holds"
        notices().print(f"{line}. If it is lost, {lost}.", highlight=False)
