"""``sixgate admins``: admins who may administer the agents of one gateway, within a scope."""

import json
from pathlib import Path
from typing import get_args

from schemas.registry.policy import Policy
from schemas.registry.records import ScopedAdminSet, SettingName
from sixgate.api import Json
from sixgate.cli.declare import Option, argument, flag, group
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.formats import activity, policy_value
from sixgate.cli.options import NAME
from sixgate.cli.policies import compose, policy_file, policy_flags
from sixgate.cli.render import Field, table
from sixgate.cli.session import Session, entry, known, not_found, shows, with_session
from sixgate.cli.terminal import notice

WITHOUT_LIMITS = Policy(
    tx_to_allowlist="any",
    tx_max_value_eth="unlimited",
    tx_daily_limit_eth="unlimited",
    tx_allowed_chains="any",
    intents_per_minute="unlimited",
)
"""The ceiling without flags: it limits the fee, and allows no messages and no delegations."""
app = group("admins", example="list")
_name = argument("NAME", "Name of the scoped admin.", type=NAME)


@app.command(
    "add",
    example=(
        "desk --public-key 0x… --account treasury --gateway gateway-0 --max-value-eth 1 "
        "--daily-limit-eth 5"
    ),
)
@_name
@Option("--public-key HEX", "Ed25519 public key of the admin.", required=True)
@Option("--account", "Account (repeatable).", required=True, type=NAME, multiple=True)
@Option("--gateway", "Gateway of the agents to administer.", required=True, type=NAME)
@flag("--set-chains", "Allow it to set and remove chains.")
@flag("--set-delegates", "Allow it to list any delegate (EIP-7702) in its policies.")
@Option("--settings NAME", "Setting it may change (repeatable).", multiple=True)
@policy_file
@policy_flags
@with_session
def add(  # noqa: PLR0913 - one parameter per option
    here: Session,
    *,
    name: str,
    public_key: str,
    account: tuple[str, ...],
    gateway: str,
    set_chains: bool,
    set_delegates: bool,
    settings: tuple[str, ...],
    policy: Path | None,
    flags: Json,
) -> None:
    """Register a scoped admin. Its policies may be at most as loose as the policy given here."""
    for setting in settings:
        if setting not in get_args(SettingName):
            not_found("setting", setting, get_args(SettingName))
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
    record |= {"accounts": account, "chains": set_chains, "settings": settings}
    record |= {"delegates": set_delegates}
    here.register(entry(ScopedAdminSet, **record, ceiling=json.loads(ceiling.encode())))
    notice(f"Scoped admin {name} administers agents of {gateway} in {', '.join(account)}.")


def _details(admin: Json) -> list[str]:
    may = [f"setting {name}" for name in admin["settings"]] + ["chains"] * admin["chains"]
    may += ["delegates"] * admin.get("delegates", False)
    limits = (f"{field} {policy_value(value)}" for field, value in admin["ceiling"].items())
    return [
        admin["public_key"],
        f"ceiling: {'; '.join(limits)}",
        f"may change: {', '.join(may) or '-'}",
    ]


_ADMINS = table(
    Field("name"),
    Field("active", activity),
    Field("gateway"),
    Field("accounts", lambda one: ", ".join(one["accounts"])),
    details=_details,
)


@app.command("list", example="--json")
@shows(_ADMINS)
def list_(here: Session) -> list[Json]:
    """List scoped admins with their accounts, gateways and ceilings."""
    return list(_admins(here).values())


@app.command("remove", example="desk")
@_name
@with_session
def remove(here: Session, *, name: str) -> None:
    """Revoke a scoped admin: it can sign nothing more. What it signed before stays valid."""
    before = known("scoped admin", name, _admins(here))
    here.register(entry(ScopedAdminSet, **before | {"active": False}))
    notice(f"Scoped admin {name} is revoked.")


def _admins(here: Session) -> dict[str, Json]:
    return {one["name"]: one for one in here.registry["scoped_admins"]}
