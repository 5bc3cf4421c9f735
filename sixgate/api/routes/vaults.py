"""``/v1/vaults``: vaults and their custody modes."""

from fastapi import APIRouter, Response

from schemas.registry.custody import AGENT_KEYS
from schemas.registry.records import VaultCreated
from signer.core.errors import RegistryEntryError
from signer.core.registry.vault import Vault, vault_from_record
from signer.custody.custody_modes import PLANS, Plan
from sixgate.api.callers import AnyCaller, NewWork, PersonCaller, ServicesOf, record
from sixgate.api.json_route import JsonRoute
from sixgate.api.models import vaults as models
from sixgate.api.models.base import timestamp
from sixgate.api.pages import CursorQuery, LimitQuery, page_of
from sixgate.api.policy_grants import end_policies
from sixgate.api.problems import Problem, invalid
from sixgate.api.services import Services
from sixgate.api.stored_signing_keys import deactivate_keys
from sixgate.api.vault_lookup import (
    KnownVault,
    find_vault,
    fingerprints_of,
    is_empty,
    visible_vaults,
)
from sixgate.api_error import ApiError
from sixgate.gateway.vaults import VaultDetails

router = APIRouter(prefix="/v1", tags=["vaults"], route_class=JsonRoute)


@router.post("/vaults", status_code=201, dependencies=[NewWork])
def create(
    request: models.NewVaultRequest, caller: PersonCaller, services: ServicesOf
) -> models.VaultReply:
    """Create a vault; without ``mpc_custody`` its mode can be chosen while it is empty."""
    vault_id = services.new_id()
    if request.mpc_custody is not None:
        # 1. If the process ends here, the registry has an empty vault without a description.
        _register(services, vault_id, models.MpcRequest(custody_mode=request.mpc_custody))
    # 2.
    services.vaults.add(
        VaultDetails(
            id=vault_id,
            name=request.name,
            description=request.description,
            created_at_ms=services.now_ms(),
            created_by=caller.actor,
        )
    )
    record(services, caller, "vault.create", f"vault:{vault_id}", request.model_dump())
    return vault_reply(services, find_vault(services, caller, vault_id))


@router.get("/vaults")
def list_vaults(
    caller: AnyCaller, services: ServicesOf, limit: LimitQuery = 1000, cursor: CursorQuery = None
) -> models.VaultList:
    """List vaults, newest first; an agent sees the vaults in which it has a grant."""
    found = visible_vaults(services, caller)
    page, next_cursor = page_of(found, lambda one: one.id, limit, cursor)
    vaults = [vault_reply(services, one) for one in page]
    return models.VaultList(vaults=vaults, next_cursor=next_cursor)


@router.get("/vaults/{vault_id}")
def get(vault_id: str, caller: AnyCaller, services: ServicesOf) -> models.VaultReply:
    """Return a vault."""
    return vault_reply(services, find_vault(services, caller, vault_id))


@router.delete("/vaults/{vault_id}", status_code=204)
def delete(vault_id: str, caller: PersonCaller, services: ServicesOf) -> Response:
    """Delete a vault: its policies are revoked, its signing keys deactivated."""
    known = find_vault(services, caller, vault_id)
    if known.vault.holds_keys:
        detail = f"{vault_id} holds the organisation's signing keys and cannot be deleted."
        raise Problem(409, "system_vault", detail)
    if known.details is None:
        detail = f"{vault_id} was not made through the API, which therefore cannot delete it."
        raise Problem(409, "vault_not_described", detail)
    # Wherever the process ends, the vault is still listed, and deleting it again continues.
    deactivate_keys(services, known)
    with services.access_policies.lock:  # or a policy could be made in between
        end_policies(services, services.access_policies.of_vault(vault_id))
        services.vaults.delete(vault_id)
    record(services, caller, "vault.delete", f"vault:{vault_id}")
    return Response(status_code=204)


@router.post("/vaults/{vault_id}/mpc")
def set_mode(
    vault_id: str, request: models.MpcRequest, caller: PersonCaller, services: ServicesOf
) -> models.VaultReply:
    """Choose the custody mode of an empty vault, once."""
    known = find_vault(services, caller, vault_id)
    if known.registered:
        raise _mode_fixed(services, known.vault)
    try:
        _register(services, vault_id, request)
    except ApiError:
        # Another request may have chosen the mode, or stored the first secret, meanwhile.
        found = find_vault(services, caller, vault_id)
        if not found.registered:
            raise
        raise _mode_fixed(services, found.vault) from None
    record(services, caller, "vault.mode_set", f"vault:{vault_id}", request.model_dump())
    return vault_reply(services, find_vault(services, caller, vault_id))


@router.get("/org/agent-keys-vault")
def agent_keys_vault(_caller: AnyCaller) -> models.KeyVaultReply:
    """Return the id of the vault that holds the agents' signing keys."""
    return models.KeyVaultReply(vault_id=AGENT_KEYS, id=AGENT_KEYS)


def _register(services: Services, vault_id: str, request: models.MpcRequest) -> None:
    entry = VaultCreated(
        account=services.account,
        vault=vault_id,
        mode=request.custody_mode,
        providers=request.providers,
    )
    try:
        vault_from_record(entry, None)
    except RegistryEntryError as error:
        raise invalid({"providers": str(error)}) from None
    services.desk.register([entry])


def _mode_fixed(services: Services, vault: Vault) -> Problem:
    if vault.mode == "envelope" and not is_empty(services, vault):
        detail = "The vault has secrets, so its custody mode is fixed: create another vault."
        return Problem(409, "vault_not_empty", detail)
    detail = f"The vault has the custody mode {vault.mode}, which is fixed: create another vault."
    return Problem(409, "custody_already_set", detail)


def vault_reply(services: Services, known: KnownVault) -> models.VaultReply:
    """Return a vault as the API shows it."""
    vault, details = known.vault, known.details
    read = services.backend.read
    fingerprints = fingerprints_of(services, vault)
    key = read.vaults.wrappings.keys.get(vault.id)
    plan = PLANS[vault.mode]
    return models.VaultReply(
        id=known.id,
        name=details.name if details else known.id,
        org_id=services.org,
        account=vault.account,
        description=details.description if details else "",
        created_at=timestamp(details.created_at_ms) if details else None,
        created_by=details.created_by if details else None,
        kek_id=f"{known.id}/{key.changes + 1}" if key else None,
        cmek_enabled=bool(fingerprints),
        cmek_fingerprint=fingerprints[-1].removeprefix("0x") if fingerprints else None,
        mpc_custody=vault.mode if vault.mode != "envelope" else None,
        mpc_threshold=_threshold(plan),
        mpc_providers=list(vault.providers),
        is_system=vault.holds_keys,
    )


def _threshold(plan: Plan) -> int | None:
    """Return how many parts open a secret; None if it was not split."""
    halves = 2 if plan.needs_client else None
    return plan.threshold or halves
