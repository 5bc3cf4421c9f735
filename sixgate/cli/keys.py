"""``sixgate keys``: signing keys, generated inside; nobody ever sees a private one."""

from typing import Annotated

import typer

from schemas.registry import AgentSet
from signer.keys import may_use
from sixgate.api import Json
from sixgate.cli.agent_views import address, key_list, users
from sixgate.cli.entries import entry
from sixgate.cli.listing import show
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data, KeyPath, MaybeAccount, MaybeAgent
from sixgate.cli.session import Session, session, usage
from sixgate.cli.terminal import notices, print_json, safe, screen
from sixgate.producer import Directory, agent_key_path, chain_key_path, key_changes

app = typer.Typer(
    no_args_is_help=True,
    help="Signing keys; generated inside, never shown.",
    epilog="Example: sixgate keys list",
)


@app.command(
    epilog="Examples: sixgate keys provision --agent payroll\n\n"
    "sixgate keys provision --chain base --account treasury --agent payroll"
)
def provision(
    *,
    path: KeyPath = None,
    agent: MaybeAgent = None,
    account: MaybeAccount = None,
    chain: Annotated[
        str | None, typer.Option(metavar="NAME", help="The key of a chain, keys/NAME-signer.")
    ] = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Generate a key: an agent's own, a chain's, or at a path; grant it to the agent named."""
    with session(data) as here:
        owner, place = _account(here, agent, account), _place(here, path, agent, chain)
        directory = Directory.of(here.registry)
        key = here.provision(owner, place)
        if agent:
            _grant(here, agent, place)
    if as_json:
        print_json(key)
    else:
        notices().print(f"{place} of account {owner} has the address:", highlight=False)
        screen().print(address(key["address"]), highlight=False)
    for change in key_changes(directory, owner, place):
        notices().print(safe(change, "yellow"))


@app.command("list", epilog="Example: sixgate keys list --json")
def list_(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List all keys with their addresses and the agents that may sign with them."""
    with session(data) as here:
        keys, agents = here.registry["keys"], here.registry["agents"]
    if as_json:
        print_json([key | {"agents": users(key, agents)} for key in keys])
    else:
        show(key_list(keys, agents), screen())


def _account(here: Session, agent: str | None, account: str | None) -> str:
    own: str | None = here.agent(agent)["account"] if agent else None
    if own and account and own != account:
        usage(f"agent {agent} acts for {own}: leave --account out")
    return own or account or usage("whose key is it? Say --agent or --account")


def _place(here: Session, path: str | None, agent: str | None, chain: str | None) -> str:
    if path and chain:
        usage("say a path or --chain, not both")
    if chain:
        return chain_key_path(here.chain(chain)["name"])
    if path is None and agent is None:
        usage("which key is it? Say a path, --chain or --agent")
    return path or agent_key_path(str(agent))


def _grant(here: Session, agent: str, path: str) -> None:
    record: Json = here.agent(agent)
    granted = record.get("key_paths", [])
    if not may_use(tuple(granted), agent, path):
        here.register(entry(AgentSet, **record | {"key_paths": [*granted, path]}))
