"""Keys of agents, gateways and scoped admins in the registry: no two of them share a key. Pure.

Otherwise a gateway's key could sign for an agent with a key of its own, or as an admin.
"""

from collections.abc import Iterator

from schemas.registry.records import AgentSet, ScopedAdminSet, ServiceSet
from signer.core.registry.registered import Registered, reserved_name


def agent_problem(registered: Registered, entry: AgentSet) -> str | None:
    """Return why an agent's key or gateway is impossible, or None."""
    if (entry.public_key is None) is (entry.gateway is None):
        return f"agent {entry.agent} needs either a public key of its own or a gateway"
    if entry.agent in registered.scoped_admins:
        return f"the name {entry.agent} belongs to a scoped admin"
    if entry.gateway is not None and ("gateway", entry.gateway) not in registered.services:
        return f"gateway {entry.gateway} is not registered: add it first"
    gateways = {one.public_key for one in registered.services.values() if one.role == "gateway"}
    if entry.public_key in gateways | registered.scoped_keys:
        return f"the key of agent {entry.agent} belongs to a gateway or a scoped admin"
    return None


def service_problem(registered: Registered, entry: ServiceSet) -> str | None:
    """Return why a service's key is impossible, or None: a gateway shares its key with no one."""
    others = [
        one
        for one in registered.services.values()
        if (one.role, one.name) != (entry.role, entry.name)
    ]
    if entry.role == "gateway":
        taken = {*_admin_keys(registered), *_agent_keys(registered)}
        taken |= {one.public_key for one in others}
    else:
        taken = {one.public_key for one in others if one.role == "gateway"}
    if entry.public_key in taken | registered.scoped_keys:
        return f"the key of {entry.role} {entry.name} belongs to someone else: make a new one"
    return None


def scoped_admin_problem(registered: Registered, entry: ScopedAdminSet) -> str | None:
    """Return why a scoped admin's name, gateway or key is impossible, or None."""
    known = entry.name in registered.scoped_admins
    if entry.name in registered.agents or (not known and reserved_name(registered, entry.name)):
        return f"the name {entry.name} belongs to an agent, a service or an admin"
    if ("gateway", entry.gateway) not in registered.services:
        return f"gateway {entry.gateway} is not registered: add it first"
    before = {registered.scoped_admins[entry.name].public_key} if known else set()
    others = {*_admin_keys(registered)} - before
    services = (one.public_key for one in registered.services.values())
    if entry.public_key in {*others, *_agent_keys(registered), *services}:
        return f"the key of scoped admin {entry.name} belongs to someone else"
    return None


def _admin_keys(registered: Registered) -> Iterator[str]:
    yield from registered.admin_keys
    for admin in registered.scoped_admins.values():
        yield admin.public_key


def _agent_keys(registered: Registered) -> Iterator[str]:
    for agent in registered.agents.values():
        if agent.public_key is not None:
            yield agent.public_key
