"""Grants of access policies: rewrites all grants of an agent or person in one registry record.

1. Note the grants that the policies give. *If the process ends here, the registry is unchanged.*
2. Register all grants: those of the policies, and those that no policy ever gave.
   *If the process ends here, the grants are in force; the next change repeats step 3.*
3. Note that exactly these grants are from policies.

A policy is stored before its grants and deleted after them, so no grant is without a policy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from schemas.registry.access import GRANTS_MAX, Grant
from schemas.registry.custody import KEY_VAULTS
from schemas.registry.records import AccessSet
from signer.core.access import matches
from sixgate.api.problems import Problem
from sixgate.api.services import Services
from sixgate.api_error import ApiError
from sixgate.gateway.access_policies import AccessPolicy


def rewrite_grants(services: Services, principal: str) -> None:
    """Register the grants of a principal's policies.

    Raises ``registry_refused``, or a 409 problem if there are too many grants.
    """
    store = services.access_policies
    with store.lock:
        policies = [one for one in store.of_principal(principal) if not one.ending]
        wanted = _grants_of(services, policies)
        former = services.backend.read.registered.access.get(principal, ())
        given = store.given(principal)
        kept = [grant for grant in former if grant.encode() not in given]
        added = [grant for grant in wanted if grant not in kept]
        after = (*kept, *added)
        if len(after) > GRANTS_MAX:
            raise Problem(
                409,
                "too_many_grants",
                f"{principal} would have {len(after)} grants; at most {GRANTS_MAX} are possible: "
                "delete a policy first.",
            )
        # 1.
        store.note(principal, added)
        # 2.
        if after != former:
            entry = AccessSet(agent=principal, grants=after)
            services.desk.register([entry], [AccessSet(agent=principal, grants=former)])
        # 3.
        store.replace_given(principal, added)


def set_policy(services: Services, policy: AccessPolicy) -> None:
    """Store a policy, new or changed, and register its grants; undo it if they are refused.

    If the process ends in between, the policy is listed and not in force: change it or delete it.
    """
    store = services.access_policies
    with store.lock:
        before = store.get(policy.id)
        store.put(policy)
        try:
            rewrite_grants(services, policy.principal)
        except (ApiError, Problem) as error:
            if isinstance(error, Problem) or error.code == "registry_refused":
                if before is None:
                    store.delete(policy.id)
                else:
                    store.put(before)
            raise


def end_policies(services: Services, policies: Sequence[AccessPolicy]) -> None:
    """Revoke and delete policies.

    1. Mark them as ending. *If the process ends here, they are listed, and in force until the next
       change of the agent's policies: delete them again.*
    2. Register the remaining grants. 3. Delete the policies.

    The lock covers all steps: otherwise another change could grant a policy again after step 2.
    """
    store = services.access_policies
    with store.lock:
        # 1.
        for policy in policies:
            store.put(replace(policy, ending=True))
        # 2.
        for principal in sorted({one.principal for one in policies}):
            rewrite_grants(services, principal)
        # 3.
        for policy in policies:
            store.delete(policy.id)


def rewrite_grants_in(services: Services, vault: str) -> None:
    """Register the grants of everyone with a policy in a vault again, after its keys changed."""
    for principal in sorted({one.principal for one in services.access_policies.of_vault(vault)}):
        rewrite_grants(services, principal)


def _grants_of(services: Services, policies: Sequence[AccessPolicy]) -> list[Grant]:
    grants = [grant for policy in reversed(policies) for grant in _of_policy(services, policy)]
    return list({grant.encode(): grant for grant in grants}.values())


def _of_policy(services: Services, policy: AccessPolicy) -> Iterator[Grant]:
    """Yield a policy's grants: on its secrets, and on the signing keys that are among them.

    The right to read a stored key is the right to sign with it while the agent submits intents.
    """
    holds_keys = policy.vault in KEY_VAULTS
    rights = tuple(right for right in policy.permissions if holds_keys or right != "sign")
    if rights:
        yield Grant(effect="allow", vault=policy.vault, paths=policy.pattern, rights=rights)
    if {"read", "sign"}.isdisjoint(policy.permissions):
        return
    keys = services.backend.read.vaults.keys
    for path in services.secret_versions.signing_keys(policy.vault):
        found = keys.find(services.account, path)
        if found and found.imported and matches(policy.pattern, path):
            yield Grant(effect="allow", vault=found.vault, paths=path, rights=("sign",))
