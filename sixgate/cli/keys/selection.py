"""Options that select a key: its path, agent, account and chain."""

from typing import Annotated

import typer

from schemas.key_chains import KeyChain, key_chain_of
from signer.keys.paths import agent_key_path, chain_at, network_key_path
from sixgate.api import Json
from sixgate.authoring import form_fields
from sixgate.authoring.operator import KeyTarget
from sixgate.cli.exit_codes import ExitCode
from sixgate.cli.failures import CommandError
from sixgate.cli.session import Session, fail_usage, not_found
from sixgate.cli.typer_options import KeyPath, name_option
from sixgate.cli.typer_shared_options import with_options

with_key_options = with_options(
    "options",
    {
        "path": KeyPath,
        "agent": Annotated[
            str | None,
            name_option("--agent", "Agent of the key. Without PATH: the agent's own key."),
        ],
        "account": Annotated[str | None, name_option("--account", "Account of the key.")],
        "chain": Annotated[
            str | None,
            typer.Option(
                metavar="NAME", help="Chain of the key. Without PATH: the chain's default key."
            ),
        ],
    },
)
"""Add the options that select a key; those given arrive as ``options``."""


def selected_key(here: Session, options: Json) -> KeyTarget:
    """Return the key that path, agent, account and chain select together.

    Without a path it is the chain's key, otherwise the agent's own. A conflict ends the command.
    """
    path, agent, account, chain = map(options.get, ("path", "agent", "account", "chain"))
    owner = _account(here, agent, account)
    network = _network(here, chain) if chain else None
    if path is None and network:
        return KeyTarget(owner, _default(network_key_path(network[0])), network[1])
    if path is None and agent is None:
        fail_usage("no key selected: give a path, --chain or --agent")
    if path and network and network[1] is KeyChain.ETHEREUM:
        fail_usage(
            "a path excludes an EVM --chain: a key is an Ethereum key by default, so omit --chain"
        )
    key_path = path or _default(agent_key_path(str(agent)))
    return KeyTarget(owner, key_path, _chain(key_path, network[1] if network else None))


def newest_version(here: Session, key: KeyTarget) -> Json:
    """Return the newest version of a key; an unknown key ends the command."""
    keys: list[Json] = here.registry["keys"]
    own = [each for each in keys if each["account"] == key.account]
    versions = [each for each in own if each["path"] == key.path]
    if not versions:
        not_found("key", key.path, (each["path"] for each in own))
    return versions[-1]


def previous_version(here: Session, key: Json) -> Json | None:
    """Return the previous version of a key, or None for the first."""
    wanted = key["account"], key["path"], key["version"] - 1
    keys: list[Json] = here.registry["keys"]
    found = (each for each in keys if (each["account"], each["path"], each["version"]) == wanted)
    return next(found, None)


def _account(here: Session, agent: str | None, account: str | None) -> str:
    own: str | None = here.agent(agent)["account"] if agent else None
    if own and account and own != account:
        fail_usage(f"agent {agent} acts for {own}: omit --account")
    return own or account or fail_usage("no account selected: give --agent or --account")


def _network(here: Session, name: str) -> tuple[str, KeyChain]:
    """Return a network's name and kind of key; every registered chain is an EVM network."""
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
    """Validate a path built from a name: a name may contain dots, but a path may not."""
    try:
        return str(form_fields.key_path(path))
    except ValueError:
        fail_usage(
            f"{path} is not a valid key path, as it has a dot: give a path, such as keys/hot"
        )


def _chain(path: str, chain: KeyChain | None) -> KeyChain:
    bound = chain_at(path)
    if chain and bound and chain != bound:
        why = f"{path} is reserved for a {bound} key, so it cannot hold a {chain} key"
        raise CommandError(ExitCode.USAGE, f"{why}: choose another path")
    return chain or bound or KeyChain.ETHEREUM
