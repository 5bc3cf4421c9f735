"""``/v1/vaults/{vault_id}/secrets``: secrets and their versions.

The version routes are siblings of ``secrets``, because a path takes the rest of the URL.
"""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BeforeValidator

from schemas.fields import SAFE_INTEGER_MAX
from signer.custody.buffers import wiping
from sixgate.api.callers import AnyCaller, Caller, NewWork, PersonCaller, ServicesOf, record
from sixgate.api.json_route import JsonRoute
from sixgate.api.models import secrets as models
from sixgate.api.models.base import optional_timestamp, time_ms, timestamp
from sixgate.api.pages import CursorQuery, LimitQuery, page_of
from sixgate.api.problems import answers, invalid
from sixgate.api.secret_generating import generate_version
from sixgate.api.secret_paths import SecretPathOf
from sixgate.api.secret_reading import (
    SHARE_TEXT_MAX,
    list_secrets,
    list_versions,
    living_versions,
    read_version,
    secret_unknown,
)
from sixgate.api.secret_storing import (
    NewVersion,
    ShownVersion,
    StoredVersion,
    store_version,
    type_of,
)
from sixgate.api.services import Services
from sixgate.api.stored_signing_keys import deactivate_key
from sixgate.api.vault_lookup import find_vault
from sixgate.gateway.secret_versions import Terms

router = APIRouter(prefix="/v1/vaults/{vault_id}", tags=["secrets"], route_class=JsonRoute)
ShareHeader = Annotated[
    str | None,
    Header(
        alias="X-Client-Share",
        max_length=SHARE_TEXT_MAX,
        description="The client share of the version in base64, in vaults with client custody.",
    ),
]
CREATED: Final[dict[int | str, dict[str, Any]]] = {201: {"model": models.NewSecretEntry}}


def _plain_number(text: object) -> object:
    """Refuse the spaces, signs and underscores that the conversion to an integer accepts."""
    if isinstance(text, str) and not (text.isascii() and text.isdigit()):
        raise ValueError("must be a decimal number")
    return text


VersionPath = Annotated[int, BeforeValidator(_plain_number), Path(ge=1, le=SAFE_INTEGER_MAX)]


@router.put(
    "/secrets/{path:path}",
    response_model_exclude_unset=True,
    responses=CREATED | answers(403, 409),
    dependencies=[NewWork],
)
def put(
    vault_id: str,
    path: SecretPathOf,
    request: models.SecretRequest,
    response: Response,
    caller: AnyCaller,
    services: ServicesOf,
) -> models.NewSecretEntry:
    """Store a new version of a secret: 201 for its first one, 200 for a later one."""
    expires_at_ms = time_ms(request.expires_at)
    if expires_at_ms is not None and expires_at_ms <= services.now_ms():
        raise invalid({"expires_at": "must be in the future"})
    known = find_vault(services, caller, vault_id)
    terms = Terms(
        vault=known.id,
        path=path,
        version=0,
        type=request.type,
        metadata=request.kept_metadata,
        expires_at_ms=expires_at_ms,
        reads_max=request.max_access_count,
        created_by=caller.actor,
    )
    with wiping(bytearray(request.value.get_secret_value().encode())) as value:
        made = store_version(services, caller, known, NewVersion(path, value, terms))
    _record(services, caller, "secret.write", made.stored)
    response.status_code = 201 if made.first else 200
    return _made(services, made)


@router.get("/secrets", dependencies=[NewWork])
def list_(
    vault_id: str,
    caller: AnyCaller,
    services: ServicesOf,
    prefix: Annotated[
        str, Query(max_length=256, description="Only secrets whose paths begin with this.")
    ] = "",
    limit: LimitQuery = 1000,
    cursor: CursorQuery = None,
) -> models.SecretList:
    """List the secrets of a vault without their values, newest first."""
    known = find_vault(services, caller, vault_id)
    found = [one for one in list_secrets(services, caller, known) if one.path.startswith(prefix)]
    page, next_cursor = page_of(found, lambda one: one.path, limit, cursor)
    entries = [_entry(services, one) for one in page]
    return models.SecretList(secrets=entries, next_cursor=next_cursor)


@router.get("/secrets/{path:path}", responses=answers(403, 410), dependencies=[NewWork])
def get(
    vault_id: str,
    path: SecretPathOf,
    caller: AnyCaller,
    services: ServicesOf,
    share: ShareHeader = None,
) -> models.SecretReply:
    """Return the newest version of a secret with its value."""
    return _read(services, caller, vault_id, path, None, share)


@router.delete("/secrets/{path:path}", status_code=204)
def delete(
    vault_id: str, path: SecretPathOf, caller: PersonCaller, services: ServicesOf
) -> Response:
    """Delete a secret: its versions cannot be read any more; its signing key is deactivated."""
    known = find_vault(services, caller, vault_id)
    with services.secret_versions.changing(known.id, path):
        found = living_versions(services, known, path)
        if not found:
            raise secret_unknown(known, path)
        # 1. If the process ends here, the secret is still listed; delete it again.
        deactivate_key(services, known, path)
        # 2.
        services.secret_versions.delete(known.id, path, found[-1].version)
    _record(services, caller, "secret.delete", found[-1])
    return Response(status_code=204)


@router.get("/secret-versions/{path:path}", responses=answers(403), dependencies=[NewWork])
def versions(
    vault_id: str,
    path: SecretPathOf,
    caller: AnyCaller,
    services: ServicesOf,
    limit: LimitQuery = 1000,
    cursor: CursorQuery = None,
) -> models.VersionList:
    """List the versions of a secret without their values, newest first."""
    known = find_vault(services, caller, vault_id)
    found = list_versions(services, caller, known, path)
    page, next_cursor = page_of(found, lambda one: str(one.version), limit, cursor)
    entries = [_entry(services, one) for one in page]
    return models.VersionList(versions=entries, next_cursor=next_cursor)


@router.get(
    "/secret-version/{path:path}/{version}", responses=answers(403, 410), dependencies=[NewWork]
)
def get_version(
    vault_id: str,
    path: SecretPathOf,
    version: VersionPath,
    caller: AnyCaller,
    services: ServicesOf,
    share: ShareHeader = None,
) -> models.SecretReply:
    """Return one version of a secret with its value."""
    return _read(services, caller, vault_id, path, version, share)


@router.post("/secret-version-disable/{path:path}/{version}")
def disable_version(
    vault_id: str,
    path: SecretPathOf,
    version: VersionPath,
    caller: PersonCaller,
    services: ServicesOf,
) -> models.SecretEntry:
    """Disable a version permanently: the API no longer returns its value."""
    known = find_vault(services, caller, vault_id)
    for stored in living_versions(services, known, path):
        if stored.version == version:
            services.secret_versions.disable(Terms(known.id, path, version))
            _record(services, caller, "secret.version_disable", stored)
            return _entry(services, stored)
    raise secret_unknown(known, path, version)


@router.post(
    "/secret-rotate/{path:path}",
    response_model_exclude_unset=True,
    responses=answers(403, 409),
    dependencies=[NewWork],
)
def rotate(
    vault_id: str,
    path: SecretPathOf,
    caller: AnyCaller,
    services: ServicesOf,
    request: models.GenerateRequest | None = None,
) -> models.NewSecretEntry:
    """Store a generated value as the next version of a secret; the reply does not contain it."""
    known = find_vault(services, caller, vault_id)
    made = generate_version(services, caller, known, path, request or models.GenerateRequest())
    _record(services, caller, "secret.generate", made.stored)
    return _made(services, made)


def _record(services: Services, caller: Caller, action: str, stored: ShownVersion) -> None:
    resource = f"vault:{stored.vault}/{stored.path}"
    record(services, caller, action, resource, {"version": stored.version, "type": stored.kind})


def _read(
    services: Services,
    caller: Caller,
    vault_id: str,
    path: str,
    version: int | None,
    share: str | None,
) -> models.SecretReply:
    known = find_vault(services, caller, vault_id)
    opened = read_version(services, caller, known, path, version, share)
    entry = _entry(services, opened.stored).model_dump()
    return models.SecretReply(**entry, value=opened.value, encoding=opened.encoding)


def _made(services: Services, made: StoredVersion) -> models.NewSecretEntry:
    """Return a new version; members that it does not have are absent, not null."""
    entry = _entry(services, made.stored).model_dump()
    if made.client_share is not None:
        entry["client_share"] = made.client_share
    if made.signing_address is not None:
        entry["signing_address"] = made.signing_address
    return models.NewSecretEntry(**entry)


def _entry(services: Services, stored: ShownVersion) -> models.SecretEntry:
    terms = services.secret_versions.get(stored.vault, stored.path, stored.version)
    return models.SecretEntry(
        path=stored.path,
        version=stored.version,
        type=type_of(stored, terms),
        created_at=timestamp(stored.stored_at_ms),
        created_by=terms.created_by,
        expires_at=optional_timestamp(terms.expires_at_ms),
        max_access_count=terms.reads_max,
        access_count=terms.reads,
        metadata=terms.metadata,
        cmek_encrypted=terms.layered,
        is_disabled=terms.disabled,
    )
