"""``sixgate agents``: registers, changes and shows agents with their policies."""

from typing import Annotated

import typer

from schemas.registry import AccountOpened, AgentSet, Entry, PolicySet
from sixgate.api import Json
from sixgate.cli.agents.options import fields, with_fields
from sixgate.cli.agents.policies import compose
from sixgate.cli.agents.policy_options import PolicyFile, PolicyId, with_limits
from sixgate.cli.agents.views import agent_list, agent_sheet
from sixgate.cli.entries import entry
from sixgate.cli.listing import show
from sixgate.cli.options import ACCOUNT_DEFAULT, DATA_DEFAULT, Agent, AsJson, Data, name_option
from sixgate.cli.session import fail_usage, not_found, session
from sixgate.cli.terminal import notices, print_json, screen
from sixgate.clocks import wall_ms
from sixgate.data_folder.key_files import ensure_public_key

app = typer.Typer(
    no_args_is_help=True,
    help="Manage agents and their policies.",
    epilog="Example: sixgate agents list",
)


@app.command(
    epilog="Example: sixgate agents add payroll --account treasury --max-value-eth 1 "
    "--daily-limit-eth 5 --allow-to any --chains ethereum,base --rate 60"
)
@with_limits
@with_fields
def add(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    name: Agent,
    account: Annotated[
        str | None, name_option("--account", "Account that the agent acts for.")
    ] = ACCOUNT_DEFAULT,
    policy: PolicyFile = None,
    policy_id: PolicyId = None,
    data: Data = DATA_DEFAULT,
    options: Json,
    flags: Json,
) -> None:
    """Register an agent with its account (opened if new), policy and key file (created if new).

    With --gateway the agent has no key: the gateway authenticates it by a token and signs for it.
    """
    with session(data) as here:
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
        if "public_key" not in options and "gateway" not in options:
            options["public_key"] = ensure_public_key(here.folder.agent_key(name), name)
        allowed = {"active": True, "intents_api_enabled": True}
        new = {"agent": name, "account": account, "policy_id": policy_id or name} | allowed
        here.register(*records, _agent(new, options))
    new_account = ", which was opened" if opened else ""
    notices().print(f"Agent {name} acts for account {account}{new_account}.", highlight=False)


@app.command(epilog="Example: sixgate agents update payroll --daily-limit-eth 2 --rate 10")
@with_limits
@with_fields
def update(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    name: Agent,
    policy: PolicyFile = None,
    policy_id: PolicyId = None,
    active: Annotated[
        bool | None, typer.Option("--activate/--deactivate", help="Allow or refuse its intents.")
    ] = None,
    data: Data = DATA_DEFAULT,
    options: Json,
    flags: Json,
) -> None:
    """Change the given properties of an agent. Its account cannot be changed.

    A change of a shared policy applies to every agent that has it.
    """
    if not (policy or policy_id or options or flags) and active is None:
        fail_usage(
            "nothing to change: give an option (sixgate agents update --help), such as --rate"
        )
    with session(data) as here:
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
        here.register(*records, _agent(before | {"policy_id": used} | switched, options))
    notices().print(f"Agent {name} is changed.", highlight=False)


@app.command(epilog="Example: sixgate agents deactivate payroll")
def deactivate(*, name: Agent, data: Data = DATA_DEFAULT) -> None:
    """Revoke an agent: all its intents are refused. Undo with `agents update --activate`."""
    with session(data) as here:
        here.register(_agent(here.agent(name) | {"active": False}, {}))
    notices().print(f"Agent {name} is inactive.", highlight=False)


@app.command("show", epilog="Example: sixgate agents show payroll --json")
def show_(*, name: Agent, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """Show an agent with its policy, keys and remaining daily limit."""
    with session(data) as here:
        agent = here.agent(name)
        policy = here.registry["policies"].get(agent["policy_id"])
        keys = [key for key in here.registry["keys"] if key["account"] == agent["account"]]
        budget = next(row for row in here.api.budgets() if row["agent"] == name)
    found = {"agent": agent, "policy": policy, "keys": keys, "budget": budget}
    if as_json:
        print_json(found)
    else:
        show(agent_sheet(found), screen())


@app.command("list", epilog="Example: sixgate agents list --json")
def list_(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List all agents with their remaining daily limits."""
    with session(data) as here:
        here.warn_pending()
        agents = here.registry["agents"]
        found = [row | {"record": agents[row["agent"]]} for row in here.api.budgets()]
    if as_json:
        print_json(found)
    else:
        show(agent_list(found), screen())


def _agent(before: Json, options: Json) -> AgentSet:
    return entry(AgentSet, **before | fields(options, wall_ms()))
