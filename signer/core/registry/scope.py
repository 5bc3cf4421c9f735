"""Scopes of admins: what a scoped admin may register. Pure.

An agent is *in scope* if it acts for one of the scope's accounts through the scope's gateway. All
other agents are *outside*: nothing that a scoped admin signs may change them, the policies that
they have, or the keys that they may use. Whatever is not listed here is refused.
"""

from collections.abc import Iterable, Iterator

from schemas.registry.access import Grant
from schemas.registry.custody import KEY_VAULTS
from schemas.registry.policy import Policy
from schemas.registry.records import (
    AccessSet,
    AddressClaimed,
    AgentSet,
    ChainRemoved,
    ChainSet,
    CustomerKeySet,
    PolicySet,
    RegistryRecord,
    ScopedAdminSet,
    SettingSet,
    VaultCreated,
)
from signer.core.access import may_overlap
from signer.core.registry.ceiling import loosened_fields, looser_fields
from signer.core.registry.registered import Registered, reserved_name

SHARED_PATHS = ("keys/", "wallets/")
"""Beginnings of the paths of keys that belong to an account, not to one agent."""
_AGENT_PATHS = "agents/"
_TIGHTENING = SettingSet(name="simulation.required", value="always")


def scope_problem(
    registered: Registered, scope: ScopedAdminSet, record: RegistryRecord
) -> str | None:
    """Return why a scoped admin may not register a record's entry now, or None.

    From version 2 on, a changed policy or agent may keep what is beyond the ceiling. Records of
    version 1 are decided as they always were: all readers of a registry must agree on each.
    """
    entry, may_keep = record.entry, record.v > 1
    match entry:
        case AgentSet():
            return _agent_problem(registered, scope, entry, may_keep=may_keep)
        case AccessSet():
            return _access_problem(registered, scope, entry)
        case PolicySet():
            return _policy_problem(registered, scope, entry, may_keep=may_keep)
        case VaultCreated() if entry.vault in KEY_VAULTS:
            return "only a full admin may choose the custody mode of a vault of signing keys"
        case VaultCreated() | CustomerKeySet() | AddressClaimed():
            return account_problem(scope, entry.account)
        case _:
            return _organisation_problem(registered, scope, entry)


def account_problem(scope: ScopedAdminSet, account: str) -> str | None:
    """Return why an account is not in scope, or None."""
    return None if account in scope.accounts else f"account {account} is not in its scope"


def in_scope(scope: ScopedAdminSet, agent: AgentSet) -> bool:
    """Return whether an agent acts for an account of the scope, through its gateway."""
    through = agent.public_key is None and agent.gateway == scope.gateway
    return through and agent.account in scope.accounts


def outside_user(
    registered: Registered, scope: ScopedAdminSet, account: str, paths: str
) -> str | None:
    """Return an outside agent that may sign with a key whose path matches a glob, or None.

    An inactive agent counts, and a deny is ignored, because either may change later.
    """
    for agent in registered.agents.values():
        if agent.account != account or in_scope(scope, agent):
            continue
        if any(may_overlap(paths, usable) for usable in _usable_paths(registered, agent)):
            return agent.agent
    return None


def _agent_problem(
    registered: Registered, scope: ScopedAdminSet, entry: AgentSet, *, may_keep: bool
) -> str | None:
    before = registered.agents.get(entry.agent)
    if not in_scope(scope, entry) or (before is not None and not in_scope(scope, before)):
        return f"agent {entry.agent} does not act for its accounts through gateway {scope.gateway}"
    if before is None and reserved_name(registered, entry.agent):
        return f"the name {entry.agent} belongs to an admin or a service"
    known = before.key_paths if before else ()
    for path in entry.key_paths:
        problem = _key_paths_problem(registered, scope, entry, path)
        if path not in known and problem is not None:
            return problem
    # With the Intents API, grants to read keys let the agent sign too.
    grants = registered.access.get(entry.agent, ())
    fresh = [grant for grant in grants if before is None or not _gives_keys(before, grant)]
    if problem := _grants_problem(registered, scope, entry, fresh):
        return problem
    kept = before is not None and before.policy_id == entry.policy_id
    # Deactivating an agent stays possible if a full admin gave it a policy beyond the ceiling.
    may_keep = may_keep and before is not None and _was_granted(registered, before, entry)
    is_free = not entry.active or may_keep
    used = None if is_free else _used_policy_problem(registered, scope, entry)
    return used or (None if kept else _taken_policy_problem(registered, scope, entry.policy_id))


def _was_granted(registered: Registered, before: AgentSet, entry: AgentSet) -> bool:
    """Return whether an agent was last active with this policy, or has it from a full admin.

    A scoped admin may give any policy to an inactive agent, which must not get active with it. Nor
    may an agent beyond the ceiling get more keys, a longer life or the Intents API.
    """
    longer = before.expires_at_ms is not None and (
        entry.expires_at_ms is None or entry.expires_at_ms > before.expires_at_ms
    )
    return (
        registered.granted_policies.get(entry.agent) == entry.policy_id == before.policy_id
        and set(entry.key_paths) <= set(before.key_paths)
        and entry.intents_api_enabled <= before.intents_api_enabled
        and not longer
    )


def _used_policy_problem(
    registered: Registered, scope: ScopedAdminSet, entry: AgentSet
) -> str | None:
    """Return why the policy of an active agent is not in scope, or None."""
    used = registered.policies.get(entry.policy_id)
    if used is None:
        return f"policy {entry.policy_id} is not registered: set it first"
    looser = _looser(scope, used.policy)
    return _too_loose(entry.policy_id, looser) if looser else None


def _taken_policy_problem(registered: Registered, scope: ScopedAdminSet, name: str) -> str | None:
    """Return why an agent may not get a policy that it does not have, or None.

    A policy that only its own agents have may be loosened. So they must not get one that a full
    admin prepared, or keeps, for outside agents.
    """
    if name in registered.scoped_policies:
        return None
    agents = registered.agents.values()
    given = any(agent.policy_id == name and in_scope(scope, agent) for agent in agents)
    return None if given else f"a full admin set policy {name}, and no agent in its scope has it"


def _access_problem(registered: Registered, scope: ScopedAdminSet, entry: AccessSet) -> str | None:
    agent = registered.agents.get(entry.agent)
    if agent is None or not in_scope(scope, agent):
        return f"agent {entry.agent} does not act for its accounts through gateway {scope.gateway}"
    before = registered.access.get(entry.agent, ())
    denied = [grant for grant in before if grant.effect == "deny"]
    # Without one of its denies, each of the agent's grants may allow more than before.
    known = before if all(grant in entry.grants for grant in denied) else ()
    fresh = [grant for grant in entry.grants if grant not in known]
    return _grants_problem(registered, scope, agent, fresh)


def _grants_problem(
    registered: Registered, scope: ScopedAdminSet, agent: AgentSet, grants: Iterable[Grant]
) -> str | None:
    """Return why these grants would give an agent keys outside the scope, or None."""
    for grant in grants:
        if _gives_keys(agent, grant):
            problem = _key_paths_problem(registered, scope, agent, grant.paths)
            if problem is not None:
                return problem
    return None


def _policy_problem(
    registered: Registered, scope: ScopedAdminSet, entry: PolicySet, *, may_keep: bool
) -> str | None:
    name = entry.policy_id
    users = [agent for agent in registered.agents.values() if agent.policy_id == name]
    for agent in users:
        if not in_scope(scope, agent):
            return f"policy {name} belongs to agent {agent.agent} too, which is not in its scope"
    before = registered.policies.get(name)
    looser = _looser(scope, entry.policy, before.policy if before and may_keep else None)
    if looser:
        return _too_loose(name, looser)
    # A full admin may have prepared it for an outside agent.
    if before is not None and not users and looser_fields(entry.policy, before.policy):
        return f"policy {name} exists and no agent has it: choose another name"
    return None


def _looser(scope: ScopedAdminSet, policy: Policy, before: Policy | None = None) -> tuple[str, ...]:
    """Return the fields of a policy that are looser than a scope allows.

    ``before`` is the policy that it replaces, if it may keep what that one allows.
    """
    free = {"eip712_domain_allowlist"} if scope.domains else set()
    if scope.delegates:
        free.add("delegate_allowlist")
    if before is None:
        looser = looser_fields(policy, scope.ceiling)
    else:
        looser = loosened_fields(policy, scope.ceiling, before)
    return tuple(name for name in looser if name not in free)


def _organisation_problem(
    registered: Registered, scope: ScopedAdminSet, entry: object
) -> str | None:
    """Return why an entry about the whole organisation is not in scope, or None."""
    match entry:
        case ChainSet() | ChainRemoved():
            return _chain_problem(registered, scope, entry)
        case SettingSet():
            allowed = entry.name in scope.settings or entry == _TIGHTENING
            return None if allowed else f"the setting {entry.name} is not in its scope"
    return "only a full admin may register this type of entry"


def _chain_problem(
    registered: Registered, scope: ScopedAdminSet, entry: ChainSet | ChainRemoved
) -> str | None:
    """Return why a chain is not in scope, or None.

    A name that a policy lists must not move to another chain: the policy would allow that chain.
    """
    if not scope.chains:
        return "chains are not in its scope"
    if isinstance(entry, ChainRemoved):
        return None
    policies = [one.policy for one in registered.policies.values()]
    policies += [one.ceiling for one in registered.scoped_admins.values()]
    before = registered.chains.get(entry.chain_id)
    known = {before.name, *before.aliases} if before else set()
    for name in (entry.name, *entry.aliases):
        listed = any(policy.chains and name in policy.chains for policy in policies)
        if listed and name not in known:
            return f"a policy lists the name {name}: it cannot become a name of {entry.chain_id}"
    return None


def _key_paths_problem(
    registered: Registered, scope: ScopedAdminSet, agent: AgentSet, paths: str
) -> str | None:
    """Return why an agent may not get the keys whose path matches a glob, or None."""
    if not paths.startswith((f"{_AGENT_PATHS}{agent.agent}/", *SHARED_PATHS)):
        kinds = (*SHARED_PATHS, _AGENT_PATHS)
        if not any(may_overlap(paths, f"{kind}**") for kind in kinds):
            return None  # no key has such a path
        return f"{paths} is not below agents/{agent.agent}/, keys/ or wallets/"
    user = outside_user(registered, scope, agent.account, paths)
    return f"agent {user}, which is not in its scope, may use keys at {paths}" if user else None


def _usable_paths(registered: Registered, agent: AgentSet) -> Iterator[str]:
    """Yield globs of the paths of all keys that an agent may sign with."""
    yield f"{_AGENT_PATHS}{agent.agent}/**"
    yield from agent.key_paths
    for grant in registered.access.get(agent.agent, ()):
        if _gives_keys(agent, grant):
            yield grant.paths


def _gives_keys(agent: AgentSet, grant: Grant) -> bool:
    """Return whether a grant may let an agent sign with keys, as ``signer.core.access`` decides it.

    For an agent that may submit intents, the right to read a key suffices.
    """
    signs = "sign" in grant.rights or (agent.intents_api_enabled and "read" in grant.rights)
    return grant.effect == "allow" and signs and grant.vault in ("*", *KEY_VAULTS)


def _too_loose(name: str, fields: tuple[str, ...]) -> str:
    return f"policy {name} is looser than its ceiling in {', '.join(fields)}"
