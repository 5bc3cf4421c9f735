"""``/v1/agents``: people create, change and delete agents."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Response

from schemas.registry.policy import Policy
from schemas.registry.records import AgentSet, Entry, PolicySet
from sixgate.api.agent_views import agent_replies, agent_reply, known_agent
from sixgate.api.callers import AgentOrPerson, AnyCaller, NewWork, PersonCaller, ServicesOf, record
from sixgate.api.direct_route import DirectRoute
from sixgate.api.models import agents as models
from sixgate.api.models.base import time_ms
from sixgate.api.pages import CursorQuery, LimitQuery, page_of
from sixgate.api.problems import answers, forbidden, invalid, not_found
from sixgate.api.services import Services
from sixgate.gateway.agents import AgentDetails
from sixgate.gateway.guardrails import GuardrailError, with_guardrails

router = APIRouter(prefix="/v1/agents", tags=["agents"], route_class=DirectRoute)
GUARDRAILS = set(models.Guardrails.model_fields)
_WORKS_AGAIN = (
    "The agent works again, and so do the API keys and unexpired tokens that it had before: to end "
    "them, call POST /v1/agents/{}/rotate-key."
)


@router.post("", status_code=201, dependencies=[NewWork])
def create(
    request: models.NewAgentRequest, caller: PersonCaller, services: ServicesOf
) -> models.NewAgentReply:
    """Create an agent with its guardrails and its first API key, which is shown once."""
    agent_id, now_ms = services.new_id(), services.now_ms()
    _check_future(request, now_ms)
    policy = _policy(Policy(), request.model_dump(include=GUARDRAILS), services)
    entry = AgentSet(
        agent=agent_id,
        account=services.account,
        gateway=services.gateway_key.keyid,
        policy_id=agent_id,
        active=True,
        intents_api_enabled=request.intents_api_enabled,
        expires_at_ms=time_ms(request.expires_at),
    )
    # 1. If the process ends here, the registry has an agent without an API key, which can do
    # nothing. It is not listed.
    services.desk.register([PolicySet(policy_id=agent_id, policy=policy), entry])
    # 2. If the process ends here, the agent is listed; rotating its key gives it one.
    services.agents.put(
        AgentDetails(
            id=agent_id,
            name=request.name,
            description=request.description,
            created_at_ms=now_ms,
            created_by=caller.actor,
            token_ttl_s=request.token_ttl_seconds,
            vault_ids=tuple(request.vault_ids),
        )
    )
    # 3.
    expires_at_ms = time_ms(request.api_key_expires_at)
    issued = services.api_keys.issue("agent", agent_id, now_ms=now_ms, expires_at_ms=expires_at_ms)
    record(services, caller, "agent.create", f"agent:{agent_id}", request.model_dump())
    reply = agent_reply(services, entry)
    return models.NewAgentReply(**reply.model_dump(), agent=reply, api_key=issued.text)


@router.get("")
def list_agents(
    _caller: PersonCaller,
    services: ServicesOf,
    limit: LimitQuery = 1000,
    cursor: CursorQuery = None,
) -> models.AgentList:
    """List agents, newest first; agents with keys of their own come last."""
    registered = services.backend.read.registered.agents
    described = [one.id for one in services.agents.all() if one.id in registered]
    with_keys = sorted(name for name, agent in registered.items() if agent.gateway is None)
    page, next_cursor = page_of([*described, *with_keys], str, limit, cursor)
    agents = agent_replies(services, [registered[name] for name in page])
    return models.AgentList(agents=agents, next_cursor=next_cursor)


@router.get("/me", responses=answers(404))
def get_me(caller: AnyCaller, services: ServicesOf) -> models.AgentReply:
    """Return the calling agent."""
    if caller.kind != "agent":
        raise not_found("agent", "me")
    return agent_reply(services, services.backend.read.registered.agents[caller.id])


@router.get("/{agent_id}")
def get(agent_id: str, _caller: AgentOrPerson, services: ServicesOf) -> models.AgentReply:
    """Return an agent."""
    return agent_reply(services, known_agent(services, agent_id))


@router.patch("/{agent_id}")
def update(
    agent_id: str, request: models.AgentUpdate, caller: PersonCaller, services: ServicesOf
) -> models.ChangedAgentReply:
    """Change an agent's guardrails, switches or description."""
    given = request.model_dump(exclude_unset=True)
    with services.agents.lock:
        before, details = _administered(services, agent_id)
        former_problem = services.agent_problem(agent_id)
        entries: list[Entry] = []
        replaced: list[Entry] = []
        if changed := {name: value for name, value in given.items() if name in GUARDRAILS}:
            current = services.backend.read.registered.policies[before.policy_id].policy
            entries.append(
                PolicySet(policy_id=before.policy_id, policy=_policy(current, changed, services))
            )
            replaced.append(PolicySet(policy_id=before.policy_id, policy=current))
        after = before.model_copy(update=_registered_changes(request, given))
        if after != before:
            entries.append(after)
            replaced.append(before)
        # If the process ends here, limits have changed and descriptions have not.
        services.desk.register(entries, replaced)
        services.agents.put(_described(details, given))
    record(services, caller, "agent.update", f"agent:{agent_id}", given)
    reply = agent_reply(services, known_agent(services, agent_id))
    works_again = former_problem is not None and services.agent_problem(agent_id) is None
    notice = _WORKS_AGAIN.format(agent_id) if works_again else None
    return models.ChangedAgentReply(**reply.model_dump(), notice=notice)


@router.delete("/{agent_id}", status_code=204)
def delete(agent_id: str, caller: PersonCaller, services: ServicesOf) -> Response:
    """Delete an agent: it is deactivated, its API keys and tokens end, its events remain."""
    with services.agents.lock:
        before, _ = _administered(services, agent_id)
        # 1. From here on nothing that the agent submitted is signed.
        if before.active:
            services.desk.register([before.model_copy(update={"active": False})], [before])
        # 2. If the process ends before this, the agent is listed as inactive; delete it again.
        services.api_keys.delete_of("agent", agent_id)
        services.agents.delete(agent_id)
    record(services, caller, "agent.delete", f"agent:{agent_id}")
    return Response(status_code=204)


@router.post("/{agent_id}/rotate-key")
def rotate_key(agent_id: str, caller: PersonCaller, services: ServicesOf) -> models.NewAgentKey:
    """Replace an agent's API keys by a new one; the former keys and their tokens end."""
    with services.agents.lock:
        _administered(services, agent_id)
        services.api_keys.delete_of("agent", agent_id)
        # If the process ends here, the agent has no key; rotate again.
        issued = services.api_keys.issue("agent", agent_id, now_ms=services.now_ms())
    record(services, caller, "agent.key_rotate", f"agent:{agent_id}")
    return models.NewAgentKey(
        api_key=issued.text, api_key_prefix=issued.key.prefix, expires_at=None
    )


def _check_future(request: models.NewAgentRequest, now_ms: int) -> None:
    """Raise a 400 problem for a new agent, or key, that would have ended already."""
    past = {
        name: "must be in the future"
        for name in ("expires_at", "api_key_expires_at")
        if (at_ms := time_ms(getattr(request, name))) is not None and at_ms <= now_ms
    }
    if past:
        raise invalid(past)


def _administered(services: Services, agent_id: str) -> tuple[AgentSet, AgentDetails]:
    """Return an agent that the desk may change; raise a problem for any other."""
    agent, details = known_agent(services, agent_id), services.agents.get(agent_id)
    if details is None or agent.gateway != services.gateway_key.keyid:
        raise forbidden(
            "agent_has_own_key",
            f"Agent {agent_id} has a key of its own: change it with sixgate agents update.",
        )
    return agent, details


def _policy(before: Policy, members: dict[str, Any], services: Services) -> Policy:
    try:
        return with_guardrails(before, members, services.backend.read.registered)
    except GuardrailError as error:
        raise invalid(error.fields) from None


def _registered_changes(request: models.AgentUpdate, given: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if "is_active" in given:
        changes["active"] = request.is_active
    if "intents_api_enabled" in given:
        changes["intents_api_enabled"] = request.intents_api_enabled
    if "expires_at" in given:
        changes["expires_at_ms"] = time_ms(request.expires_at)
    return changes


def _described(details: AgentDetails, given: dict[str, Any]) -> AgentDetails:
    changes: dict[str, Any] = {}
    changes |= {name: given[name] for name in ("name", "description") if name in given}
    if "token_ttl_seconds" in given:
        changes["token_ttl_s"] = given["token_ttl_seconds"]
    if "vault_ids" in given:
        changes["vault_ids"] = tuple(given["vault_ids"])
    return replace(details, **changes)
