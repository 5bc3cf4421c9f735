"""What is registered and what is left to spend, as plain data for clients."""

from collections.abc import Callable

from schemas.canonical import Canonical
from signer.account import Account
from signer.keys import KeyDescriptor, KeyRegister
from signer.registry import Registry
from signer.settings import as_entries
from sixgate.api import Json


def registered(registry: Registry, keys: KeyRegister) -> Json:
    """Return what ``Api.registry`` promises."""
    policies = {
        name: {"policy": _plain(found.policy), "digest": found.digest}
        for name, found in registry.policies.items()
    }
    return {
        "org": registry.org,
        "sequence": registry.sequence,
        "head": registry.head,
        "partitions": registry.partitions,
        "accounts": sorted(registry.accounts),
        "agents": {name: _plain(agent) for name, agent in registry.agents.items()},
        "policies": policies,
        "chains": [_plain(chain) for _, chain in sorted(registry.chains.items())],
        "settings": as_entries(registry.settings),
        "services": [_plain(service) for service in registry.services.values()],
        "keys": [key(found) for found in keys.by_path.values()],
    }


def budgets(registry: Registry, accounts: Callable[[str], Account], now_ms: int) -> list[Json]:
    """Return what ``Api.budgets`` promises."""
    return [_budget(registry, name, accounts, now_ms) for name in sorted(registry.agents)]


def key(found: KeyDescriptor) -> Json:
    """Return what may be known of a key."""
    return {
        "account": found.account,
        "path": found.path,
        "version": found.version,
        "address": found.address,
        "public_key": found.provisioned.public_key,
    }


def _budget(registry: Registry, name: str, accounts: Callable[[str], Account], now_ms: int) -> Json:
    agent = registry.agents[name]
    policy = registry.policies.get(agent.policy_id)
    limit = policy.policy.daily_wei_max if policy else None
    spent = accounts(agent.account).spent_wei(now_ms)
    return {
        "agent": name,
        "account": agent.account,
        "spent_wei": str(spent),
        "limit_wei": None if limit is None else str(limit),
        "left_wei": None if limit is None else str(max(0, limit - spent)),
    }


def _plain(value: Canonical) -> Json:
    return value.model_dump(mode="json", exclude_none=True)
