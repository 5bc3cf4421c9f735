"""``sixgate agents``: registers, changes and shows agents with their policies."""

from collections.abc import Iterator
from pathlib import Path

import click

from schemas.registry.records import AccountOpened, AgentSet, Entry, PolicySet
from signer.core.access import may_use
from sixgate.api import Json
from sixgate.cli.declare import Option, gathered, group
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.formats import (
    activity,
    format_time,
    key_address,
    policy_value,
    remaining_limit,
    spent,
)
from sixgate.cli.options import (
    ACCOUNT_DEFAULT,
    KEY_PATH,
    NAME,
    Checked,
    agent_argument,
    parse_duration_ms,
)
from sixgate.cli.policies import compose, policy_file, policy_flags
from sixgate.cli.render import Field, sheet, table
from sixgate.cli.session import Session, entry, not_found, shows, with_session
from sixgate.cli.terminal import notice
from sixgate.clocks import wall_ms
from sixgate.data_folder.key_files import ensure_public_key

NEVER = "never"
NO_PATHS = [""]
"""The value that clears the list of key paths: a command line has no empty list."""

app = group("agents", example="list")


def _expiry(value: str) -> str:
    try:
        return value if value == NEVER else str(parse_duration_ms(value))
    except ValueError as error:
        raise ValueError(f"{error}, or {NEVER}") from None


def _paths(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[str]:
    found = list(values)
    return found if found == NO_PATHS else [KEY_PATH.convert(one, param, ctx) for one in found]


agent_fields = gathered(
    "fields",
    Option(
        "--key-path PATH",
        "Key path the agent may use (repeatable). Replaces the current list; '' clears it.",
        name="key_paths",
        multiple=True,
        callback=_paths,
    ),
    Option("--public-key HEX", "Ed25519 public key, if the key was made elsewhere."),
    Option("--gateway", "Gateway that signs for the agent, which then has no key.", type=NAME),
    Option("--expires-in SPAN", "Expiry, such as 30d, or never.", type=Checked("span", _expiry)),
    Option("--intents-api/--no-intents-api", "Allow the Intents API.", name="intents_api_enabled"),
)
"""Add an option for each field of an agent; those given arrive as ``fields``."""
_policy_id = Option("--policy-id ID", "Name of the policy.")


@app.command(
    "add",
    example=(
        "payroll --account treasury --max-value-eth 1 --daily-limit-eth 5 --allow-to any "
        "--chains ethereum,base --rate 60"
    ),
)
@agent_argument
@Option("--account", "Account that the agent acts for.", type=NAME, default=ACCOUNT_DEFAULT)
@agent_fields
@policy_file
@_policy_id
@policy_flags
@with_session
def add(  # noqa: PLR0913 - one parameter per option
    here: Session,
    *,
    name: str,
    account: str,
    policy: Path | None,
    policy_id: str | None,
    fields: Json,
    flags: Json,
) -> None:
    """Register an agent with its account (opened if new), policy and key file (created if new).

    With --gateway the agent has no key: the gateway authenticates it by a token and signs for it.
    """
    if name in here.registry["agents"]:
        fail_usage(f"agent {name} already exists: change it with sixgate agents update {name}")
    records: list[Entry] = []
    opened = account not in here.registry["accounts"]
    if opened:
        records.append(entry(AccountOpened, account=account))
    if policy or flags or policy_id is None:
        content = compose(here, {}, policy, flags)
        records.append(PolicySet(policy_id=policy_id or name, policy=content))
    elif policy_id not in here.registry["policies"]:
        not_found("policy", policy_id, here.registry["policies"])
    # If the process ends after the key file is written, the next run registers the same key.
    if "public_key" not in fields and "gateway" not in fields:
        fields["public_key"] = ensure_public_key(here.folder.agent_key(name), name)
    allowed = {"active": True, "intents_api_enabled": True}
    new = {"agent": name, "account": account, "policy_id": policy_id or name} | allowed
    here.register(*records, _agent(new, fields))
    new_account = ", which was opened" if opened else ""
    notice(f"Agent {name} acts for account {account}{new_account}.")


@app.command("update", example="payroll --daily-limit-eth 2 --rate 10")
@agent_argument
@agent_fields
@click.option(
    "--activate/--deactivate", "active", default=None, help="Allow or refuse its intents."
)
@policy_file
@_policy_id
@policy_flags
@with_session
def update(  # noqa: PLR0913 - one parameter per option
    here: Session,
    *,
    name: str,
    policy: Path | None,
    policy_id: str | None,
    active: bool | None,
    fields: Json,
    flags: Json,
) -> None:
    """Change the given properties of an agent. Its account cannot be changed.

    A change of a shared policy applies to every agent that has it.
    """
    if not (policy or policy_id or fields or flags) and active is None:
        fail_usage(
            "nothing to change: give an option (sixgate agents update --help), such as --rate"
        )
    before = here.agent(name)
    records: list[Entry] = []
    used = policy_id or before["policy_id"]
    earlier: Json | None = here.registry["policies"].get(used)
    if policy or flags:
        base = earlier["policy"] if earlier and not policy else {}
        content = compose(here, base, policy, flags)
        records.append(PolicySet(policy_id=used, policy=content))
    elif earlier is None:
        not_found("policy", used, here.registry["policies"])
    switched = {} if active is None else {"active": active}
    here.register(*records, _agent(before | {"policy_id": used} | switched, fields))
    notice(f"Agent {name} is changed.")


@app.command("deactivate", example="payroll")
@agent_argument
@with_session
def deactivate(here: Session, *, name: str) -> None:
    """Revoke an agent: all its intents are refused. Undo with `agents update --activate`."""
    here.register(_agent(here.agent(name) | {"active": False}, {}))
    notice(f"Agent {name} is inactive.")


def _agent(before: Json, fields: Json) -> AgentSet:
    """Return an agent's new record; a field that is None is removed."""
    new = dict(fields)
    if "gateway" in new and "public_key" in new:
        fail_usage("an agent has a key of its own or a gateway: give --public-key or --gateway")
    if "gateway" in new or "public_key" in new:
        new = {"gateway": None, "public_key": None} | new
    if new.get("key_paths") == NO_PATHS:
        new["key_paths"] = []
    span = new.pop("expires_in", None)
    if span is not None:
        new["expires_at_ms"] = None if span == NEVER else wall_ms() + int(span)
    return entry(AgentSet, **before | new)


def _signed_by(found: Json) -> Iterator[tuple[str, object]]:
    """Yield the agent's own public key, or the gateway that signs for it."""
    agent = found["agent"]
    if "gateway" in agent:
        yield "gateway", agent["gateway"]
    else:
        yield "public key", agent["public_key"]


def _expires(found: Json) -> str:
    agent = found["agent"]
    return format_time(agent["expires_at_ms"]) if "expires_at_ms" in agent else NEVER


def _policy(found: Json) -> Iterator[tuple[str, object]]:
    policy = found["policy"]
    yield f"policy {found['agent']['policy_id']}", policy["digest"] if policy else "not registered"
    for field, value in policy["policy"].items() if policy else ():
        yield f"  {field}", policy_value(value)


def _keys(found: Json) -> Iterator[tuple[str, object]]:
    agent = found["agent"]
    granted = tuple(agent.get("key_paths", ()))
    for key in found["keys"]:
        if key["state"] == "active" and may_use(granted, agent["agent"], key["path"]):
            yield f"key {key['path']}", key_address(key)


AGENT = sheet(
    Field("agent", lambda found: found["agent"]["agent"]),
    Field("account", lambda found: found["agent"]["account"]),
    Field("active", lambda found: activity(found["agent"])),
    _signed_by,
    Field("expires", _expires),
    _policy,
    _keys,
    Field("spent in 24 h", lambda found: f"{spent(found['budget'])} (whole account)"),
    Field("left", lambda found: remaining_limit(found["budget"])),
)
AGENTS = table(
    Field("agent"),
    Field("account"),
    Field("active", lambda row: activity(row["record"])),
    Field("policy", lambda row: row["record"]["policy_id"]),
    Field("spent 24 h", spent, right=True),
    Field("left", remaining_limit, right=True),
)


@app.command("show", example="payroll --json")
@agent_argument
@shows(AGENT)
def show(here: Session, *, name: str) -> Json:
    """Show an agent with its policy, keys and remaining daily limit."""
    agent = here.agent(name)
    return {
        "agent": agent,
        "policy": here.registry["policies"].get(agent["policy_id"]),
        "keys": [key for key in here.registry["keys"] if key["account"] == agent["account"]],
        "budget": next(row for row in here.api.budgets() if row["agent"] == name),
    }


@app.command("list", example="--json")
@shows(AGENTS)
def list_(here: Session) -> list[Json]:
    """List all agents with their remaining daily limits."""
    here.warn_pending()
    agents = here.registry["agents"]
    return [row | {"record": agents[row["agent"]]} for row in here.api.budgets()]
