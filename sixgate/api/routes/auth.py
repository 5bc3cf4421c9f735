"""``/v1/auth``: API keys and ID tokens are exchanged for short-lived access tokens."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from sixgate.api.callers import (
    AnyCaller,
    Caller,
    NewWork,
    PersonCaller,
    ServicesOf,
    client_ip,
    record,
    unauthorized,
)
from sixgate.api.json_route import JsonRoute
from sixgate.api.limits import rate_problem
from sixgate.api.models import auth as models
from sixgate.api.models.base import optional_timestamp, time_ms, timestamp
from sixgate.api.not_supported import not_supported
from sixgate.api.pages import CursorQuery, LimitQuery, page_of
from sixgate.api.problems import Problem, answers, forbidden, not_found
from sixgate.api.services import Services
from sixgate.api.vault_lookup import bound_vaults
from sixgate.gateway.api_keys import ApiKey, LoginRateError, OwnerKind
from sixgate.gateway.logins import ID_PREFIX, Login
from sixgate.gateway.tokens import TTL_S_MAX
from sixgate.oidc.errors import ClaimError, IdTokenError, IssuerUnavailableError
from sixgate.oidc.id_tokens import IdToken

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=JsonRoute)
AddressOf = Annotated[str, Depends(client_ip)]


@router.post("/agent-token")
def exchange_agent_key(
    request: models.AgentTokenRequest, services: ServicesOf, address: AddressOf
) -> models.AgentTokenReply:
    """Exchange an agent's API key for an access token."""
    key = _verified(services, request.api_key.get_secret_value(), "agent", address)
    if request.agent_id is not None and request.agent_id != key.owner:
        raise unauthorized("the API key belongs to another agent")
    if problem := services.agent_problem(key.owner):
        raise unauthorized(problem)
    return models.AgentTokenReply(
        **_issued(services, key),
        agent_id=key.owner,
        vault_ids=bound_vaults(services, key.owner),
        entitlements=_entitlements(services, key.owner),
    )


@router.post("/api-key-token")
def exchange_person_key(
    request: models.PersonTokenRequest, services: ServicesOf, address: AddressOf
) -> models.TokenReply:
    """Exchange a person's API key for an access token."""
    key = _verified(services, request.api_key.get_secret_value(), "person", address)
    if problem := services.person_problem(key.owner):
        raise unauthorized(problem)
    return models.TokenReply(**_issued(services, key))


@router.post("/oidc", responses=answers(403, 501))
def exchange_id_token(
    request: models.OidcTokenRequest, services: ServicesOf, address: AddressOf
) -> models.TokenReply:
    """Exchange a person's ID token of the organisation's issuer for an access token."""
    token, login = _login_of(services, request)
    if problem := services.person_problem(login.person):
        raise unauthorized(problem)
    # If the process ends after this, the person has to log in again.
    if not services.logins.exchange(token, services.now_ms()):
        raise unauthorized("the ID token was exchanged before: log in again")
    text, expires_in = services.tokens.issue(
        "person", login.person, login.id, now_ms=services.now_ms(), ttl_s=TTL_S_MAX
    )
    actor, details = f"user:{login.person}", dict(login.identity._asdict())
    call = services.calls.event(actor, address, "auth.login", actor, details)
    services.backend.submit.append([call])
    return models.TokenReply(access_token=text, expires_in=expires_in)


@router.post("/refresh", responses=answers(403))
def refresh(caller: AnyCaller, services: ServicesOf) -> models.TokenReply:
    """Exchange a valid access token for a new one, unless it came from an ID token."""
    _refuse_login(caller)
    try:
        key = services.api_keys.of(caller.token.credential)
    except KeyError:  # deleted since the token was checked
        raise unauthorized("the API key of this token was deleted") from None
    return models.TokenReply(**_issued(services, key))


@router.delete("/token", status_code=204)
def revoke(caller: AnyCaller, services: ServicesOf) -> Response:
    """Revoke the access token of this request."""
    if wait_ms := services.tokens.revoke(caller.token, services.now_ms()):
        raise rate_problem(wait_ms, f"{caller.actor} revoked too many tokens")
    record(services, caller, "auth.token_revoke", caller.actor)
    return Response(status_code=204)


@router.get("/me")
def profile(caller: PersonCaller, services: ServicesOf) -> models.Profile:
    """Return the calling person."""
    person = services.people.get(caller.id)
    if person is None:
        raise not_found("person", caller.id)
    return models.Profile(
        id=person.id,
        email=person.email,
        display_name=person.name,
        org_id=services.org,
        role=person.role,
        billing_tier=services.backend.read.registered.settings.tier,
    )


@router.post("/api-keys", status_code=201, dependencies=[NewWork])
def create_api_key(
    request: models.ApiKeyRequest, caller: PersonCaller, services: ServicesOf
) -> models.NewApiKey:
    """Create another API key of the calling person."""
    _refuse_login(caller)
    issued = services.api_keys.issue(
        "person",
        caller.id,
        name=request.name,
        scopes=request.scopes,
        now_ms=services.now_ms(),
        expires_at_ms=time_ms(request.expires_at),
    )
    record(services, caller, "api_key.create", f"api_key:{issued.key.id}", {"name": request.name})
    return models.NewApiKey(key=_entry(issued.key), api_key=issued.text)


@router.get("/api-keys")
def list_api_keys(
    caller: PersonCaller,
    services: ServicesOf,
    limit: LimitQuery = 1000,
    cursor: CursorQuery = None,
) -> models.ApiKeyList:
    """List the calling person's API keys, newest first."""
    keys = services.api_keys.owned_by("person", caller.id)
    page, next_cursor = page_of(keys, lambda key: key.id, limit, cursor)
    return models.ApiKeyList(keys=[_entry(key) for key in page], next_cursor=next_cursor)


@router.delete("/api-keys/{key_id}", status_code=204)
def delete_api_key(key_id: str, caller: PersonCaller, services: ServicesOf) -> Response:
    """Delete one of the calling person's API keys; its tokens end with it."""
    if key_id not in {key.id for key in services.api_keys.owned_by("person", caller.id)}:
        raise not_found("API key", key_id)
    services.api_keys.delete(key_id)
    record(services, caller, "api_key.delete", f"api_key:{key_id}")
    return Response(status_code=204)


def _verified(services: Services, text: str, owner_kind: OwnerKind, address: str) -> ApiKey:
    try:
        key = services.api_keys.verified(text, services.now_ms(), address)
    except LoginRateError as error:
        why = f"The address {address} sent too many API keys that an earlier version hashed"
        raise rate_problem(error.wait_ms, why) from None
    if key is None or key.owner_kind != owner_kind:
        raise unauthorized("the API key is wrong, expired or deleted")
    return key


def _login_of(services: Services, request: models.OidcTokenRequest) -> tuple[IdToken, Login]:
    """Return an ID token and the login of the person whom it names; raise a problem."""
    if services.oidc is None:
        why = "The settings of this server have no OpenID Connect issuer ([api.oidc])."
        raise not_supported("POST /v1/auth/oidc", why)
    try:
        text = request.id_token.get_secret_value()
        token = services.oidc.verified(text, request.nonce, services.now_ms())
    except IssuerUnavailableError as error:
        headers = {"Retry-After": str(error.retry_after_s)}
        detail = f"The keys of the issuer cannot be read now ({error}): retry."
        raise Problem(503, "issuer_unavailable", detail, headers=headers) from None
    except ClaimError as error:
        raise forbidden("login_refused", f"The login is refused: {error}.") from None
    except IdTokenError as error:
        raise unauthorized(str(error)) from None
    identity = token.identity
    if (login := services.logins.of(identity)) is None:
        who = f"{identity.claim} {identity.value!a} of {identity.issuer}"
        raise forbidden("login_refused", f"No person of this organisation has the login {who}.")
    return token, login


def _refuse_login(caller: Caller) -> None:
    """Refuse a token of a login: what lasts longer would outlive the person's account there."""
    if caller.token.credential.startswith(ID_PREFIX):
        raise forbidden(
            "login_token",
            "A token of a login cannot be refreshed and makes no API key: send a new ID token.",
        )


def _issued(services: Services, key: ApiKey) -> dict[str, object]:
    """Return a token for a key's owner; people have no lifetime of their own."""
    meta = services.agents.get(key.owner) if key.owner_kind == "agent" else None
    ttl_s = (meta and meta.token_ttl_s) or TTL_S_MAX
    now_ms = services.now_ms()
    text, expires_in = services.tokens.issue(
        key.owner_kind, key.owner, key.id, now_ms=now_ms, ttl_s=ttl_s
    )
    return {"access_token": text, "expires_in": expires_in}


def _entitlements(services: Services, agent_id: str) -> dict[str, bool]:
    agent = services.backend.read.registered.agents[agent_id]
    absent = ("cards", "memory", "shroud", "discoverable", "treasury_signer", "has_delegations")
    return {
        "intents_api": agent.intents_api_enabled,
        "execution_intents": False,
        "execution_require_tee": False,
        "intents_require_tee": False,
    } | dict.fromkeys(absent, False)


def _entry(key: ApiKey) -> models.ApiKeyEntry:
    return models.ApiKeyEntry(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        key_prefix=key.prefix,
        scopes=list(key.scopes),
        created_at=timestamp(key.created_at_ms),
        expires_at=optional_timestamp(key.expires_at_ms),
        last_used_at=optional_timestamp(key.last_used_at_ms),
    )
