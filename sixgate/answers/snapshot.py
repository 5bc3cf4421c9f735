"""Registry, keys, vaults and budgets as plain data for clients."""

from collections.abc import Callable

from schemas.canonical import Canonical
from schemas.keys.key_events import KeyProvisioned
from schemas.keys.provider_roots import ProviderRootChanged
from schemas.keys.recovery import SecretRecovered
from schemas.keys.vault_events import SecretStored, VaultKeyChanged
from signer.core.account import Account
from signer.core.registry.registry import Registry
from signer.core.registry.settings import Settings
from signer.core.registry.vault import Vault, VaultId
from signer.keys.descriptor import KeyDescriptor
from signer.keys.register import VaultRegister
from sixgate.api import Json


def registry_snapshot(registry: Registry, vaults: VaultRegister) -> Json:
    """Return the answer of ``Api.registry``."""
    policies = {
        name: {"policy": plain(found.policy), "digest": found.digest}
        for name, found in registry.policies.items()
    }
    return {
        "org": registry.org,
        "sequence": registry.record_count,
        "head": registry.last_digest,
        "partitions": registry.partitions,
        "accounts": sorted(registry.accounts),
        "agents": {name: plain(agent) for name, agent in registry.agents.items()},
        "policies": policies,
        "chains": [plain(chain) for _, chain in sorted(registry.chains.items())],
        "settings": as_entries(registry.settings),
        "services": [plain(service) for service in registry.services.values()],
        "scoped_admins": [plain(scope) for scope in registry.scoped_admins.values()],
        "signer_keys": {name: sorted(keys) for name, keys in registry.signer_keys.items()},
        "keys": [key_entry(found) for found in vaults.keys.all()],
        "share_keys": {
            name: share_key.public_key
            for name in vaults.share_keys
            if (share_key := vaults.sealed_for(name, registry))
        },
        "vaults": [vault_entry(found, registry) for _, found in sorted(registry.vaults.items())],
        "access": {name: list(map(plain, grants)) for name, grants in registry.access.items()},
    }


def budgets(registry: Registry, accounts: Callable[[str], Account], now_ms: int) -> list[Json]:
    """Return the answer of ``Api.budgets``."""
    return [_budget(registry, name, accounts, now_ms) for name in sorted(registry.agents)]


def key_entry(found: KeyDescriptor) -> Json:
    """Return the public part of a key version."""
    return {
        "account": found.account,
        "path": found.path,
        "vault": found.vault,
        "version": found.version,
        "chain": found.chain.value,
        "state": found.state.value,
        "imported": found.imported,
        "address": found.address,
        "public_key": found.provisioned.public_key,
    }


def key_answer(found: KeyDescriptor) -> Json:
    """Return the answer of ``Api.order_key``, with the client share sealed for the client."""
    share = found.provisioned.client_share
    return key_entry(found) | ({"client_share": share} if share else {})


def vault_entry(found: Vault, registry: Registry) -> Json:
    """Return the registered settings of a vault."""
    return {
        "account": found.account,
        "vault": found.name,
        "mode": found.mode,
        "providers": list(found.providers),
        "customer_keys": list(registry.customer_keys.get(found.id, ())),
    }


def secret_entry(found: SecretStored) -> Json:
    """Return the public part of a secret's version."""
    return {
        "path": found.path,
        "version": found.version,
        "kind": found.kind,
        "generated": found.generated,
        "stored_at_ms": found.stored_at_ms,
    }


def vault_content(vaults: VaultRegister, vault_id: VaultId) -> Json:
    """Return the answer of ``Api.vault``."""
    secrets = vaults.secrets
    wrappings = vaults.wrappings
    key = wrappings.keys.get(vault_id)
    paths = sorted(path for path in secrets.versions if path[:2] == vault_id)
    return {
        "secrets": [secret_entry(version) for path in paths for version in secrets.versions[path]],
        "key_changes": key.changes if key else None,
        "behind": sum(1 for _ in wrappings.outdated(vault_id)),
        "roots": {
            provider: {"changes": move.changes, "kms_key": move.kms_key, "left": len(move.left)}
            for (vault, provider), move in sorted(wrappings.moves.items())
            if vault == vault_id
        },
    }


def vault_answer(vaults: VaultRegister, name: str) -> Json | None:
    """Return ``Api.order_vault``'s answer to the order with this id, if the signer answered it."""
    event = vaults.events.get(name)
    match event:
        case SecretStored():
            vault = {"account": event.account, "vault": event.vault, "mode": event.mode}
            return vault | secret_entry(event) | {"client_share": event.client_share}
        case VaultKeyChanged():
            return event.model_dump(include={"account", "vault", "change", "sequence"})
        case ProviderRootChanged():
            fields = {"account", "vault", "provider", "sequence", "kms_key"}
            return event.model_dump(include=fields)
        case SecretRecovered():
            fields = {"account", "vault", "path", "version", "sequence", "client_share"}
            return event.model_dump(include=fields)
    return None


def client_shares(vaults: VaultRegister, vault_id: VaultId, path: str) -> list[Json]:
    """Return the answer of ``Api.client_shares``."""
    fields = {"account", "vault", "mode", "path", "version", "client_share"}
    fields |= {"kind", "generated", "stored_at_ms"}
    return [
        event.model_dump(include=fields, exclude_none=True)
        for event in vaults.events.values()
        if isinstance(event, KeyProvisioned | SecretStored | SecretRecovered)
        and (event.account, event.vault, event.path) == (*vault_id, path)
        and event.client_share
    ]


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


def plain(value: Canonical) -> Json:
    """Return a registered value as plain data."""
    return value.model_dump(mode="json", exclude_none=True)


def as_entries(settings: Settings) -> dict[str, bool | int | str]:
    """Return the settings by public name; an unset tier is left out."""
    tier: dict[str, bool | int | str] = {"org.tier": settings.tier} if settings.tier else {}
    return tier | {
        "policies.require_explicit": settings.require_explicit,
        "simulation.required": "always" if settings.simulation_always else "requested",
        "simulation.age_ms_max": settings.simulation_age_ms_max,
        "idempotency.remember_ms": settings.remember_ms,
    }
