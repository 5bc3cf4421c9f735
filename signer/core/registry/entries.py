"""Registry entries: checks and applies each type of entry.

No I/O; changes ``registered`` only after all checks.
"""

from collections.abc import Iterator

from schemas.canonical import digest
from schemas.registry.records import (
    AccessSet,
    AccountOpened,
    AddressClaimed,
    AgentSet,
    ChainRemoved,
    ChainSet,
    CustomerKeySet,
    OrgCreated,
    PolicySet,
    ScopedAdminSet,
    ServiceSet,
    SettingSet,
    VaultCreated,
)
from signer.core.errors import RegistryEntryError
from signer.core.registry.registered import Registered, RegisteredPolicy, reserved_name
from signer.core.registry.settings import checked_setting
from signer.core.registry.vault import initial_vaults, vault_from_record


def apply_entry(registered: Registered, entry: object, sequence: int) -> None:
    """Apply the entry of record ``sequence``; raise ``RegistryEntryError`` before any change."""
    match entry:
        case OrgCreated():
            _create(registered, entry, sequence)
        case AccountOpened() | AddressClaimed() | VaultCreated() | CustomerKeySet():
            _set_account(registered, entry)
        case PolicySet():
            named = digest("sixgate/policy/v1", entry.policy.encode())
            registered.policies[entry.policy_id] = RegisteredPolicy(entry.policy, named)
        case AgentSet():
            _set_agent(registered, entry)
        case AccessSet():
            _set_access(registered, entry)
        case ChainSet() | ChainRemoved():
            _set_chain(registered, entry)
        case SettingSet():
            _set_setting(registered, entry)
        case ServiceSet():
            _set_service(registered, entry, sequence)
        case ScopedAdminSet():
            _set_scoped_admin(registered, entry)
        case _:
            raise RegistryEntryError("the type of the record's entry is unknown")


def _create(registered: Registered, entry: OrgCreated, sequence: int) -> None:
    if sequence:
        raise RegistryEntryError("the organisation exists already")
    registered.org = entry.org
    registered.admin_keys = entry.admin_keys
    registered.partitions = entry.partitions
    registered.partitions_per_slot = entry.partitions_per_slot or entry.partitions


def _set_account(
    registered: Registered, entry: AccountOpened | AddressClaimed | VaultCreated | CustomerKeySet
) -> None:
    match entry:
        case AccountOpened():
            _open_account(registered, entry.account)
        case AddressClaimed():
            _claim(registered, entry)
        case VaultCreated():
            _create_vault(registered, entry)
        case CustomerKeySet():
            _enrol(registered, entry)


def _open_account(registered: Registered, account: str) -> None:
    if account in registered.accounts:
        return  # a repetition: a tier that was set since must not create other vaults
    registered.accounts.add(account)
    for vault in initial_vaults(account, registered.settings.tier):
        registered.vaults.setdefault(vault.id, vault)


def _claim(registered: Registered, entry: AddressClaimed) -> None:
    _check_open(registered, entry.account)
    owner = registered.claims.setdefault(entry.address, entry.account)
    if owner != entry.account:
        raise RegistryEntryError(f"the address {entry.address} is claimed by account {owner}")


def _create_vault(registered: Registered, entry: VaultCreated) -> None:
    vault = vault_from_record(entry, registered.settings.tier)
    if (before := registered.vaults.get(vault.id)) is not None:
        raise RegistryEntryError(
            f"{entry.account} has a vault {entry.vault} of mode {before.mode}, which cannot change"
        )
    # The mode of an automatic key vault may be chosen before its account is opened, when no key
    # can exist yet.
    if not vault.holds_keys:
        _check_open(registered, entry.account)
    registered.vaults[vault.id] = vault


def _enrol(registered: Registered, entry: CustomerKeySet) -> None:
    vault = registered.vaults.get((entry.account, entry.vault))
    if vault is None or vault.holds_keys:
        raise RegistryEntryError(f"{entry.account} has no vault {entry.vault} for secrets")
    previous = registered.customer_keys.get(vault.id, ())
    if entry.fingerprint is None:
        if not previous:
            raise RegistryEntryError(f"{entry.vault} has no customer key")
        del registered.customer_keys[vault.id]
        return
    if entry.fingerprint in previous:
        raise RegistryEntryError(
            f"customer key {entry.fingerprint} was set for {entry.vault} before"
        )
    registered.customer_keys[vault.id] = (*previous, entry.fingerprint)


def _set_agent(registered: Registered, entry: AgentSet) -> None:
    _check_open(registered, entry.account)
    before = registered.agents.get(entry.agent)
    if before and before.account != entry.account:
        raise RegistryEntryError(f"agent {entry.agent} cannot leave account {before.account}")
    if problem := _agent_problem(registered, entry):
        raise RegistryEntryError(problem)
    registered.agents[entry.agent] = entry


def _set_access(registered: Registered, entry: AccessSet) -> None:
    if entry.agent not in registered.agents:
        raise RegistryEntryError(f"agent {entry.agent} is not registered")
    registered.access[entry.agent] = entry.grants


def _set_scoped_admin(registered: Registered, entry: ScopedAdminSet) -> None:
    for account in entry.accounts:
        _check_open(registered, account)
    if problem := _scoped_admin_problem(registered, entry):
        raise RegistryEntryError(problem)
    registered.scoped_admins[entry.name] = entry
    registered.scoped_keys |= {entry.public_key}


def _check_open(registered: Registered, account: str) -> None:
    if account not in registered.accounts:
        raise RegistryEntryError(f"account {account} was never opened: open it first")


def _set_chain(registered: Registered, entry: ChainSet | ChainRemoved) -> None:
    if isinstance(entry, ChainRemoved):
        if registered.chains.pop(entry.chain_id, None) is None:
            raise RegistryEntryError(f"chain {entry.chain_id} is not registered")
        return
    for name in (entry.name, *entry.aliases):
        owner = registered.chain_named(name)
        if owner and owner.chain_id != entry.chain_id:
            raise RegistryEntryError(f"the name {name} belongs to chain {owner.chain_id}")
    registered.chains[entry.chain_id] = entry


def _set_setting(registered: Registered, entry: SettingSet) -> None:
    registered.settings = checked_setting(registered.settings, entry.name, entry.value)


def _set_service(registered: Registered, entry: ServiceSet, sequence: int) -> None:
    if problem := _service_problem(registered, entry):
        raise RegistryEntryError(problem)
    before = registered.service_key(entry.role, entry.name)
    registered.services[(entry.role, entry.name)] = entry
    if entry.role != "signer":
        return
    # A record that deactivates a signer, or gives it another key, revokes the key it had.
    if before is not None:
        registered.revoked_keys[entry.name, before] = sequence
    if entry.active:
        # A record that names a revoked key again reinstates it.
        registered.revoked_keys.pop((entry.name, entry.public_key), None)
        # A new set: other threads may be iterating over the old one.
        previous = registered.signer_keys.get(entry.name, frozenset())
        registered.signer_keys[entry.name] = previous | {entry.public_key}


# No two agents, gateways and scoped admins share a key. Otherwise a gateway's key could sign for an
# agent with a key of its own, or as an admin.


def _agent_problem(registered: Registered, entry: AgentSet) -> str | None:
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


def _service_problem(registered: Registered, entry: ServiceSet) -> str | None:
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


def _scoped_admin_problem(registered: Registered, entry: ScopedAdminSet) -> str | None:
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
