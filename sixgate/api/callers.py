"""Authentication: who sends a request, and what that caller may do.

1. Read the bearer token and verify it.
2. Check that the API key it was exchanged for still exists, and that its owner is still active.
3. Count the request against the rate of its owner.

``route_guards.py`` authenticates a request with a body before its body is read.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import Route

from sixgate.api.client_address import LOCAL_SOCKET, SCOPE_MEMBER
from sixgate.api.limits import check_rate
from sixgate.api.problems import Problem, forbidden, not_found
from sixgate.api.services import Services, services_of
from sixgate.gateway.api_keys import OwnerKind
from sixgate.gateway.tokens import Token, TokenError

ServicesOf = Annotated[Services, Depends(services_of)]
CALLER = "sixgate.caller"
"""Where a request's scope has a caller that is authenticated already."""
NO_BEARER = "send the header Authorization: Bearer TOKEN"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="sixgate"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated agent or person, its token, and the address that the request came from."""

    kind: OwnerKind
    id: str
    token: Token
    client_ip: str

    @property
    def actor(self) -> str:
        """The caller's name in audit events: ``agent:<id>`` or ``user:<id>``."""
        return f"{'agent' if self.kind == 'agent' else 'user'}:{self.id}"


def unauthorized(why: str) -> Problem:
    """Return the 401 for a missing or invalid token."""
    return Problem(401, "unauthorized", f"Authentication failed: {why}.", headers=_CHALLENGE)


def bearer_of(headers: Mapping[str, str]) -> str:
    """Return the bearer token in the headers of a request, or an empty text."""
    scheme, _, text = headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


async def client_ip(request: Request) -> str:
    """Return the caller's address as the server determined it."""
    return str(
        request.scope.get(SCOPE_MEMBER) or (request.client.host if request.client else LOCAL_SOCKET)
    )


async def authenticated(request: Request) -> Caller:
    """Return the caller; raise a 401 problem unless the token is valid."""
    known: Caller | None = request.scope.get(CALLER)
    if known is not None:
        return known
    services = await services_of(request)
    bearer = bearer_of(request.headers)
    if not bearer:
        raise unauthorized(NO_BEARER)
    try:
        # 1.
        token = services.tokens.verify(bearer, services.now_ms())
    except TokenError as error:
        raise unauthorized(str(error)) from None
    # 2.
    if problem := services.credential_problem(token):
        raise unauthorized(problem)
    caller = Caller(token.owner_kind, token.owner, token, await client_ip(request))
    # 3.
    check_rate(request.scope, caller.actor)
    return caller


# The next three call ``authenticated`` instead of depending on it: resolving a dependency costs the
# framework as much as a read of a transaction.
async def person(request: Request) -> Caller:
    """Return the caller; raise a 403 problem for an agent."""
    caller = await authenticated(request)
    if caller.kind != "person":
        raise forbidden("people_only", "Agents may not do this: use a person's API key (1ck_…).")
    return caller


async def agent_itself(agent_id: str, request: Request) -> Caller:
    """Return the caller; raise a problem unless it is the agent in the path.

    Another agent gets a 404: it learns nothing about agents beside itself. A person gets a 403:
    people administer agents and do not act as one.
    """
    caller = await authenticated(request)
    if caller.kind == "person":
        raise forbidden(
            "agents_only", f"Only agent {agent_id[:64]!a} may do this, with its API key."
        )
    if caller.id != agent_id:
        raise not_found("agent", agent_id)
    return caller


async def agent_or_person(agent_id: str, request: Request) -> Caller:
    """Return the caller; raise a 404 problem for another agent than the one in the path."""
    caller = await authenticated(request)
    if caller.kind == "agent" and caller.id != agent_id:
        raise not_found("agent", agent_id)
    return caller


def record(
    services: Services,
    caller: Caller,
    action: str,
    resource: str,
    details: Mapping[str, object] | None = None,
) -> None:
    """Record a call with its caller and address, durable on return; ``details`` hold no secret."""
    call = services.calls.event(caller.actor, caller.client_ip, action, resource, details)
    services.backend.submit.append([call])


AUTHENTICATING = frozenset({authenticated, person, agent_itself, agent_or_person})


def dependencies_of(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """Yield the functions that an endpoint or dependency depends on."""
    for inner in dependant.dependencies:
        if inner.call is not None:
            yield inner.call
        yield from dependencies_of(inner)


def authenticates(route: Route) -> bool:
    """Return whether a route needs an authenticated caller."""
    return isinstance(route, APIRoute) and not AUTHENTICATING.isdisjoint(
        dependencies_of(route.dependant)
    )


async def _new_work(request: Request) -> None:
    """Refuse new work while the disk is nearly full; what ends or tightens something goes on.

    A read of a secret is new work too: each leaves a record.
    """
    services = await services_of(request)
    services.intake.check_disk()


NewWork = Depends(_new_work)
AnyCaller = Annotated[Caller, Depends(authenticated)]
PersonCaller = Annotated[Caller, Depends(person)]
AgentItself = Annotated[Caller, Depends(agent_itself)]
AgentOrPerson = Annotated[Caller, Depends(agent_or_person)]
