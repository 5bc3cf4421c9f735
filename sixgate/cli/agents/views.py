"""Listings of agents and keys."""

import json
from collections.abc import Sequence
from typing import Any

from schemas.custody import AGENT_KEYS
from schemas.key_chains import SIGNING_CHAINS, KeyChain
from schemas.money import wei_to_eth
from signer.keys.paths import may_use
from sixgate.api import Json
from sixgate.cli.listing import Listing, Row, Sheet
from sixgate.cli.terminal import safe
from sixgate.cli.times import format_time


def agent_list(budgets: Sequence[Json]) -> Listing:
    """Return a listing of agents; ``budgets`` are budget rows with the agent's record."""
    found = [
        Row(
            (
                row["agent"],
                row["account"],
                activity(row["record"]),
                row["record"]["policy_id"],
                wei_to_eth(int(row["spent_wei"])),
                remaining_limit(row),
            )
        )
        for row in budgets
    ]
    columns = ("agent", "account", "active", "policy", "spent 24 h", "left")
    return Listing(columns, found, right=("spent 24 h", "left"))


def agent_sheet(found: Json) -> Sheet:
    """Return all properties of one agent."""
    agent, policy = found["agent"], found["policy"]
    about = {
        "agent": agent["agent"],
        "account": agent["account"],
        "active": activity(agent),
        **_signed_by(agent),
        "expires": format_time(agent["expires_at_ms"]) if "expires_at_ms" in agent else "never",
        f"policy {agent['policy_id']}": policy["digest"] if policy else "not registered",
    }
    about |= {
        f"  {field}": policy_value(value)
        for field, value in (policy or {"policy": {}})["policy"].items()
    }
    about |= {
        f"key {key['path']}": key_address(key)
        for key in found["keys"]
        if _may_use(agent, key) and key["state"] == "active"
    }
    about |= {
        "spent in 24 h": f"{wei_to_eth(int(found['budget']['spent_wei']))} (whole account)",
        "left": remaining_limit(found["budget"]),
    }
    return Sheet("", list(about.items()))


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


def key_address(key: Json) -> str:
    """Format a key's address in its chain's notation."""
    return _shown(KeyChain(key["chain"]), key["address"])


def address(lower: str) -> str:
    """Format an Ethereum address with its checksum (EIP-55)."""
    return _shown(KeyChain.ETHEREUM, lower)


def _shown(chain: KeyChain, address: str) -> str:
    from signer.addresses.derivation import display_address  # slow; lists of intents do not need it

    return display_address(chain, address)


def remaining_limit(budget: Json) -> str:
    """Return the rest of a daily limit, in the chain's native unit."""
    return "unlimited" if budget["left_wei"] is None else wei_to_eth(int(budget["left_wei"]))


def policy_value(value: Any) -> str:
    """Format a field of a policy."""
    if isinstance(value, bool):
        return str(value).lower()  # as in a policy file
    if not isinstance(value, list):
        return str(value)
    return ", ".join(one if isinstance(one, str) else json.dumps(one) for one in value)


def activity(agent: Json) -> Any:
    """Return whether an agent is active, coloured."""
    return safe("yes", "green") if agent["active"] else safe("no", "red")


def _signed_by(agent: Json) -> dict[str, str]:
    """Return the agent's own public key, or the gateway that signs for it."""
    if "gateway" in agent:
        return {"gateway": agent["gateway"]}
    return {"public key": agent["public_key"]}


def _signs(key: Json) -> bool:
    return KeyChain(key["chain"]) in SIGNING_CHAINS


def _may_use(agent: Json, key: Json) -> bool:
    granted = tuple(agent.get("key_paths", ()))
    return agent["account"] == key["account"] and may_use(granted, agent["agent"], key["path"])
