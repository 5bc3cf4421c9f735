"""Listings of keys."""

from collections.abc import Sequence

from schemas.custody import AGENT_KEYS
from schemas.key_chains import SIGNING_CHAINS, KeyChain
from signer.keys.paths import may_use
from sixgate.api import Json
from sixgate.cli.formats import key_address
from sixgate.cli.render import Listing, Row


def key_list(keys: Sequence[Json], agents: Json) -> Listing:
    """Return a listing of keys with the agents that may use each."""
    found = [
        Row(
            (key_address(key), key["account"], key["chain"], str(key["version"]), key["state"]),
            (
                key["path"] if key["vault"] == AGENT_KEYS else f"{key['path']} in {key['vault']}",
                ability(key),
                f"agents: {', '.join(permitted_agents(key, agents)) or '-'}",
            ),
        )
        for key in keys
    ]
    columns = ("address", "account", "chain", "version", "state")
    return Listing(columns, found, right=("version",))


def permitted_agents(key: Json, agents: Json) -> list[str]:
    """Return the agents that may sign with a key."""
    return [name for name, agent in sorted(agents.items()) if _may_use(agent, key)]


def ability(key: Json) -> str:
    """Return what a key can do now, as ``keys list`` prints it."""
    if key["state"] != "active":
        return "signs no more" if _signs(key) else "holds an address no more"
    return "signs transactions and messages" if _signs(key) else "holds an address only"


def _signs(key: Json) -> bool:
    return KeyChain(key["chain"]) in SIGNING_CHAINS


def _may_use(agent: Json, key: Json) -> bool:
    granted = tuple(agent.get("key_paths", ()))
    return agent["account"] == key["account"] and may_use(granted, agent["agent"], key["path"])
