"""Settings, people, tier and approvals of the organisation."""

from fastapi import APIRouter

from schemas.registry.records import SettingSet
from signer.core.registry.settings import Settings
from sixgate.answers.snapshot import as_entries
from sixgate.api.callers import AnyCaller, Caller, PersonCaller, ServicesOf, record
from sixgate.api.json_route import JsonRoute
from sixgate.api.models import chains as models
from sixgate.api.models.base import timestamp
from sixgate.api.problems import answers, forbidden, invalid, not_found
from sixgate.api.services import Services

router = APIRouter(prefix="/v1", tags=["organisation"], route_class=JsonRoute)
REQUIRE_SIMULATION = "intents_api.require_simulation"
SIMULATE = {"true": "always", "false": "requested"}


@router.get("/admin/settings/{key}")
def get_setting(key: str, _caller: PersonCaller, services: ServicesOf) -> models.SettingReply:
    """Return a setting."""
    settings = _settings(services.backend.read.registered.settings)
    if key not in settings:
        raise not_found("setting", key)
    return models.SettingReply(key=key, value=settings[key])


@router.put("/admin/settings/{key}")
@router.put("/org/settings/{key}", include_in_schema=False)
def put_setting(
    key: str, request: models.SettingRequest, caller: PersonCaller, services: ServicesOf
) -> models.SettingReply:
    """Change a setting. ``intents_api.require_simulation`` is the one that people may change."""
    return _put(key, request.value, caller, services)


@router.get("/org/settings")
def list_settings(_caller: PersonCaller, services: ServicesOf) -> models.SettingList:
    """Return all settings."""
    return models.SettingList(settings=_settings(services.backend.read.registered.settings))


@router.patch("/org/settings", responses=answers(404))
def patch_setting(
    request: models.NamedSettingRequest, caller: PersonCaller, services: ServicesOf
) -> models.SettingReply:
    """Change a setting, named in the body."""
    return _put(request.key, request.value, caller, services)


@router.get("/org/members")
def list_members(_caller: PersonCaller, services: ServicesOf) -> models.MemberList:
    """List the people who may use the API, newest first."""
    members = [
        models.Member(
            id=one.id,
            user_id=one.id,
            email=one.email,
            display_name=one.name,
            role=one.role,
            is_active=one.active,
            created_at=timestamp(one.created_at_ms),
            joined_at=timestamp(one.created_at_ms),
        )
        for one in services.people.all()
    ]
    return models.MemberList(members=members)


@router.get("/billing/subscription")
def subscription(_caller: PersonCaller, services: ServicesOf) -> models.Subscription:
    """Return the organisation's tier. There are no payments."""
    return models.Subscription(tier=services.backend.read.registered.settings.tier)


@router.get("/approvals")
def list_approvals(_caller: AnyCaller) -> models.ApprovalList:
    """List approvals. No policy can ask for one yet, so the list is empty."""
    return models.ApprovalList(approvals=[])


@router.get("/approvals/{approval_id}")
def get_approval(approval_id: str, _caller: AnyCaller) -> None:
    """Return an approval; there is none yet."""
    raise not_found("approval", approval_id)


@router.post("/approvals/{approval_id}/decide")
def decide_approval(approval_id: str, _caller: PersonCaller) -> None:
    """Decide an approval; there is none yet."""
    raise not_found("approval", approval_id)


@router.post("/approvals/{approval_id}/cancel")
def cancel_approval(approval_id: str, _caller: AnyCaller) -> None:
    """Cancel an approval; there is none yet."""
    raise not_found("approval", approval_id)


def _settings(settings: Settings) -> dict[str, str]:
    """Return every setting as text, by key; the registry's names and the documented one."""
    entries = {name: _text(value) for name, value in as_entries(settings).items()}
    return entries | {REQUIRE_SIMULATION: _text(settings.simulation_always)}


def _text(value: bool | int | str) -> str:  # noqa: FBT001 - a setting's value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _put(key: str, value: str, caller: Caller, services: Services) -> models.SettingReply:
    if key != REQUIRE_SIMULATION:
        if key not in _settings(services.backend.read.registered.settings):
            raise not_found("setting", key)
        detail = f"Only {REQUIRE_SIMULATION} can be changed here: use sixgate settings set {key}."
        raise forbidden("beyond_scope", detail)
    if value not in SIMULATE:
        raise invalid({"value": 'must be "true" or "false"'})
    services.desk.register([SettingSet(name="simulation.required", value=SIMULATE[value])])
    record(services, caller, "setting.set", f"setting:{key}", {"value": value})
    return models.SettingReply(key=key, value=value)
