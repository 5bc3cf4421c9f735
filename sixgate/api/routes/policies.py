"""``/v1/vaults/{vault_id}/policies``: permissions to read, write and sign in a vault."""

from dataclasses import replace
from typing import get_args

from fastapi import APIRouter, Response

from schemas.registry.access import Right
from sixgate.api.callers import Caller, NewWork, PersonCaller, ServicesOf, record
from sixgate.api.json_route import JsonRoute
from sixgate.api.models import policies as models
from sixgate.api.models.base import timestamp
from sixgate.api.pages import CursorQuery, LimitQuery, page_of
from sixgate.api.policy_grants import end_policies, set_policy
from sixgate.api.problems import not_found
from sixgate.api.services import Services
from sixgate.api.vault_lookup import find_vault
from sixgate.gateway.access_policies import AccessPolicy

router = APIRouter(
    prefix="/v1/vaults/{vault_id}/policies", tags=["policies"], route_class=JsonRoute
)


@router.post("", status_code=201, dependencies=[NewWork])
def create(
    vault_id: str, request: models.PolicyRequest, caller: PersonCaller, services: ServicesOf
) -> models.PolicyReply:
    """Grant an agent or person permissions on secrets; they are in force when the reply arrives."""
    _check_principal(services, request.principal_type, request.principal_id)
    with services.access_policies.lock:  # or the vault could be deleted in between
        policy = AccessPolicy(
            id=services.new_id(),
            vault=find_vault(services, caller, vault_id).id,
            principal_type=request.principal_type,
            principal=request.principal_id,
            pattern=request.secret_path_pattern,
            permissions=_rights(request.permissions),
            created_at_ms=services.now_ms(),
            created_by=caller.actor,
        )
        set_policy(services, policy)
    record(services, caller, "policy.create", f"policy:{policy.id}", _reply(policy).model_dump())
    return _reply(policy)


@router.get("")
def list_policies(
    vault_id: str,
    caller: PersonCaller,
    services: ServicesOf,
    limit: LimitQuery = 1000,
    cursor: CursorQuery = None,
) -> models.PolicyList:
    """List the policies of a vault, newest first."""
    known = find_vault(services, caller, vault_id)
    found = services.access_policies.of_vault(known.id)
    page, next_cursor = page_of(found, lambda one: one.id, limit, cursor)
    return models.PolicyList(policies=[_reply(one) for one in page], next_cursor=next_cursor)


@router.put("/{policy_id}")
def update(
    vault_id: str,
    policy_id: str,
    request: models.PolicyUpdate,
    caller: PersonCaller,
    services: ServicesOf,
) -> models.PolicyReply:
    """Change the permissions of a policy; they are in force when the reply arrives."""
    with services.access_policies.lock:
        before = _policy(services, caller, vault_id, policy_id)
        if before.ending:
            raise not_found("policy", policy_id)
        if request.permissions is None:
            return _reply(before)
        after = replace(before, permissions=_rights(request.permissions))
        set_policy(services, after)
    record(services, caller, "policy.update", f"policy:{after.id}", _reply(after).model_dump())
    return _reply(after)


@router.delete("/{policy_id}", status_code=204)
def delete(vault_id: str, policy_id: str, caller: PersonCaller, services: ServicesOf) -> Response:
    """Delete a policy; its permissions are revoked when the reply arrives."""
    with services.access_policies.lock:
        policy = _policy(services, caller, vault_id, policy_id)
        end_policies(services, [policy])
    record(services, caller, "policy.delete", f"policy:{policy.id}", _reply(policy).model_dump())
    return Response(status_code=204)


def _policy(services: Services, caller: Caller, vault_id: str, policy_id: str) -> AccessPolicy:
    known = find_vault(services, caller, vault_id)
    policy = services.access_policies.get(policy_id)
    if policy is None or policy.vault != known.id:
        raise not_found("policy", policy_id)
    return policy


def _check_principal(services: Services, principal_type: str, name: str) -> None:
    """Raise a 404 problem unless there is such an agent, or person, of the account."""
    agent = services.backend.read.registered.agents.get(name)
    person = services.people.get(name)
    of_type = person is not None if principal_type == "user" else person is None
    if agent is None or not of_type or agent.account != services.account:
        raise not_found(principal_type, name)


def _rights(permissions: list[Right]) -> tuple[Right, ...]:
    return tuple(right for right in get_args(Right) if right in permissions)


def _reply(policy: AccessPolicy) -> models.PolicyReply:
    return models.PolicyReply(
        id=policy.id,
        vault_id=policy.vault,
        principal_type=policy.principal_type,
        principal_id=policy.principal,
        secret_path_pattern=policy.pattern,
        permissions=list(policy.permissions),
        conditions={},
        expires_at=None,
        created_at=timestamp(policy.created_at_ms),
        created_by=policy.created_by,
    )
