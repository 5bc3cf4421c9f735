"""Which key a command is about: whose, where, and of which chain."""

from typing import Annotated

import typer

from schemas.key_chains import KeyChain, key_chain_of
from signer.keys.paths import agent_key_path, chain_at, network_key_path
from sixgate.api import Json
from sixgate.authoring import form_fields
from sixgate.authoring.operator import KeyPlace
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.options import KeyPath, MaybeAccount, MaybeAgent
from sixgate.cli.session import Session, not_found, usage
from sixgate.cli.shared_options import with_options

with_choice = with_options(
    "said",
    {
        "path": KeyPath,
        "agent": MaybeAgent,
        "account": MaybeAccount,
        "chain": Annotated[
            str | None,
            typer.Option(metavar="NAME", help="The key of a chain; with a path, of which chain."),
        ],
    },
)
"""Give a command the arguments that name a key; what was said arrives as ``said``."""


def choose(here: Session, said: Json) -> KeyPlace:
    """Return the key that a path, an agent, an account and a chain's name mean together.

    Without a path it is the chain's, else the agent's own. Ends the command where they disagree.
    """
    path, agent, account, chain = map(said.get, ("path", "agent", "account", "chain"))
    owner = _account(here, agent, account)
    network = _network(here, chain) if chain else None
    if path is None and network:
        return KeyPlace(owner, _default(network_key_path(network[0])), network[1])
    if path is None and agent is None:
        usage("which key is it? Say a path, --chain or --agent")
    if path and network and network[1] is KeyChain.ETHEREUM:
        usage("say a path or --chain, not both: keys are Ethereum's unless --chain names another")
    place = path or _default(agent_key_path(str(agent)))
    return KeyPlace(owner, place, _chain(place, network[1] if network else None))


def newest(here: Session, key: KeyPlace) -> Json:
    """Return the newest version of a key; end the command if there is none."""
    keys: list[Json] = here.registry["keys"]
    own = [each for each in keys if each["account"] == key.account]
    versions = [each for each in own if each["path"] == key.path]
    if not versions:
        not_found("key", key.path, (each["path"] for each in own))
    return versions[-1]


def before(here: Session, key: Json) -> Json | None:
    """Return the version of a key that came before one; None before its first."""
    wanted = key["account"], key["path"], key["version"] - 1
    keys: list[Json] = here.registry["keys"]
    found = (each for each in keys if (each["account"], each["path"], each["version"]) == wanted)
    return next(found, None)


def _account(here: Session, agent: str | None, account: str | None) -> str:
    own: str | None = here.agent(agent)["account"] if agent else None
    if own and account and own != account:
        usage(f"agent {agent} acts for {own}: leave --account out")
    return own or account or usage("whose key is it? Say --agent or --account")


def _network(here: Session, name: str) -> tuple[str, KeyChain]:
    """Return a network's name and whose keys it takes; a registered chain is an EVM network."""
    registered = {
        alias: chain["name"]
        for chain in here.registry["chains"]
        for alias in (chain["name"], str(chain["chain_id"]), *chain.get("aliases", ()))
    }
    if name in registered:
        return registered[name], KeyChain.ETHEREUM
    found = key_chain_of(name)
    if found is None or found is KeyChain.ETHEREUM:
        not_found("chain", name, {*registered, *KeyChain})
    return found.value, found


def _default(path: str) -> str:
    """Return the path that a name makes; names may have dots, and paths none."""
    try:
        return str(form_fields.key_path(path))
    except ValueError:
        usage(f"{path} is no key path, as it has a dot: name another, such as keys/hot")


def _chain(path: str, said: KeyChain | None) -> KeyChain:
    bound = chain_at(path)
    if said and bound and said != bound:
        why = f"a key of {said} cannot stand at {path}, where intents look for one of {bound}"
        raise CommandError(ExitCode.USAGE, f"{why}: name another path")
    return said or bound or KeyChain.ETHEREUM
