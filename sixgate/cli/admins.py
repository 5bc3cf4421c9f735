"""``sixgate admins``: admins who may administer the agents of one gateway, within a scope."""

import json
from typing import Annotated, get_args

import typer

from schemas.policy import Policy
from schemas.registry import ScopedAdminSet, SettingName
from sixgate.api import Json
from sixgate.cli.agents.policies import compose
from sixgate.cli.agents.policy_options import PolicyFile, with_limits
from sixgate.cli.agents.views import activity, policy_value
from sixgate.cli.entries import entry
from sixgate.cli.listing import Listing, Row, show
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data, checked_name, checked_names, name_option
from sixgate.cli.session import Session, fail_usage, not_found, session
from sixgate.cli.terminal import notices, print_json, screen

WITHOUT_LIMITS = Policy(
    tx_to_allowlist="any",
    tx_max_value_eth="unlimited",
    tx_daily_limit_eth="unlimited",
    tx_allowed_chains="any",
    intents_per_minute="unlimited",
)
"""The ceiling without flags: it limits the fee, and allows no messages and no delegations."""
Name = Annotated[
    str, typer.Argument(metavar="NAME", callback=checked_name, help="Name of the scoped admin.")
]
app = typer.Typer(
    no_args_is_help=True,
    help="Manage scoped admins, who administer the agents of one gateway.",
    epilog="Example: sixgate admins list",
)


@app.command(
    epilog="Example: sixgate admins add desk --public-key 0x… --account treasury "
    "--gateway gateway-0 --max-value-eth 1 --daily-limit-eth 5"
)
@with_limits
def add(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    name: Name,
    public_key: Annotated[
        str, typer.Option("--public-key", metavar="HEX", help="Ed25519 public key of the admin.")
    ],
    account: Annotated[
        list[str],
        typer.Option(
            "--account", metavar="NAME", callback=checked_names, help="Account (repeatable)."
        ),
    ],
    gateway: Annotated[str, name_option("--gateway", "Gateway of the agents to administer.")],
    set_chains: Annotated[
        bool, typer.Option("--set-chains", help="Allow it to set and remove chains.")
    ] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option("--settings", metavar="NAME", help="Setting it may change (repeatable)."),
    ] = None,
    policy: PolicyFile = None,
    data: Data = DATA_DEFAULT,
    flags: Json,
) -> None:
    """Register a scoped admin. Its policies may be at most as loose as the policy given here."""
    for setting in settings or ():
        if setting not in get_args(SettingName):
            not_found("setting", setting, get_args(SettingName))
    with session(data) as here:
        before = _admins(here).get(name)
        if before and before["active"]:
            fail_usage(f"scoped admin {name} exists: remove it first with sixgate admins remove")
        for each in account:
            here.require_account(each)
        gateways = {one["name"] for one in here.registry["services"] if one["role"] == "gateway"}
        if gateway not in gateways:
            not_found("gateway", gateway, gateways)
        ceiling = compose(here, json.loads(WITHOUT_LIMITS.encode()), policy, flags)
        record = {"name": name, "public_key": public_key, "active": True, "gateway": gateway}
        record |= {"accounts": account, "chains": set_chains, "settings": settings or []}
        here.register(entry(ScopedAdminSet, **record, ceiling=json.loads(ceiling.encode())))
    accounts = ", ".join(account)
    notices().print(
        f"Scoped admin {name} administers agents of {gateway} in {accounts}.", highlight=False
    )


@app.command("list", epilog="Example: sixgate admins list --json")
def list_(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List scoped admins with their accounts, gateways and ceilings."""
    with session(data) as here:
        found = list(_admins(here).values())
    if as_json:
        print_json(found)
        return
    rows = [
        Row((one["name"], activity(one), one["gateway"], ", ".join(one["accounts"])), _details(one))
        for one in found
    ]
    show(Listing(("name", "active", "gateway", "accounts"), rows), screen())


@app.command(epilog="Example: sixgate admins remove desk")
def remove(*, name: Name, data: Data = DATA_DEFAULT) -> None:
    """Revoke a scoped admin: it can sign nothing more. What it signed before stays valid."""
    with session(data) as here:
        known = _admins(here)
        if name not in known:
            not_found("scoped admin", name, known)
        here.register(entry(ScopedAdminSet, **known[name] | {"active": False}))
    notices().print(f"Scoped admin {name} is revoked.", highlight=False)


def _admins(here: Session) -> dict[str, Json]:
    return {one["name"]: one for one in here.registry["scoped_admins"]}


def _details(admin: Json) -> list[str]:
    may = [f"setting {name}" for name in admin["settings"]] + ["chains"] * admin["chains"]
    limits = (f"{field} {policy_value(value)}" for field, value in admin["ceiling"].items())
    return [
        admin["public_key"],
        f"ceiling: {'; '.join(limits)}",
        f"may change: {', '.join(may) or '-'}",
    ]
