"""Agents by id, and their replies, built from the registry and the key register."""

from collections.abc import Sequence

from schemas.intents.money import wei_to_eth
from schemas.registry.key_chains import KeyChain
from schemas.registry.policy import Policy
from schemas.registry.records import AgentSet
from signer.keys.addresses.derivation import display_address
from signer.keys.descriptor import KeyDescriptor
from signer.keys.paths import agent_key_path
from sixgate.api.models.agents import AgentReply
from sixgate.api.models.base import optional_timestamp, timestamp
from sixgate.api.problems import not_found
from sixgate.api.services import Services
from sixgate.gateway.agents import AgentDetails
from sixgate.gateway.api_keys import ApiKey
from sixgate.gateway.guardrails import guardrails_of


def known_agent(services: Services, agent_id: str) -> AgentSet:
    """Return a registered agent; raise a 404 problem for a person or a deleted agent."""
    agent = services.backend.read.registered.agents.get(agent_id)
    if agent is None or (agent.gateway is not None and services.agents.get(agent_id) is None):
        raise not_found("agent", agent_id)
    return agent


def agent_reply(services: Services, agent: AgentSet) -> AgentReply:
    """Return an agent as the API shows it."""
    return agent_replies(services, [agent])[0]


def agent_replies(services: Services, agents: Sequence[AgentSet]) -> list[AgentReply]:
    """Return agents as the API shows them, with one query for each kind of fact."""
    ids, now_ms = [agent.agent for agent in agents], services.now_ms()
    details, keys = services.agents.of(ids), services.api_keys.newest_of("agent", ids)
    accounts = {agent.account for agent in agents}
    spent_wei = {name: services.backend.read.account(name).spent_wei(now_ms) for name in accounts}
    return [
        _reply(
            services,
            agent,
            details.get(agent.agent),
            keys.get(agent.agent),
            spent_wei[agent.account],
        )
        for agent in agents
    ]


def _reply(
    services: Services,
    agent: AgentSet,
    details: AgentDetails | None,
    key: ApiKey | None,
    spent_wei: int,
) -> AgentReply:
    registered = services.backend.read.registered
    found = registered.policies.get(agent.policy_id)
    chain_keys = _active_keys(services, agent)
    evm = chain_keys.get(KeyChain.ETHEREUM)
    limits = guardrails_of(found.policy if found else Policy())
    return AgentReply(
        id=agent.agent,
        name=details.name if details else agent.agent,
        org_id=registered.org,
        description=details.description if details else "",
        is_active=agent.active,
        auth_method="public_key" if agent.gateway is None else "api_key",
        created_at=timestamp(details.created_at_ms) if details else None,
        created_by=details.created_by if details else None,
        intents_api_enabled=agent.intents_api_enabled,
        **limits,
        tx_spent_today_eth=wei_to_eth(spent_wei),
        tx_max_value=limits["tx_max_value_eth"],
        tx_daily_limit=limits["tx_daily_limit_eth"],
        tx_spent_today=wei_to_eth(spent_wei),
        vault_ids=list(details.vault_ids) if details else [],
        signing_chains=sorted(chain.value for chain in chain_keys),
        evm_address=display_address(KeyChain.ETHEREUM, evm.address) if evm else None,
        token_ttl_seconds=details.token_ttl_s if details else None,
        api_key_prefix=key.prefix if key else None,
        api_key_expires_at=optional_timestamp(key.expires_at_ms) if key else None,
        expires_at=optional_timestamp(agent.expires_at_ms),
    )


def _active_keys(services: Services, agent: AgentSet) -> dict[KeyChain, KeyDescriptor]:
    """Return the active keys that belong to an agent, by chain."""
    register = services.backend.read.vaults.keys
    found = {}
    for chain in KeyChain:
        key = register.find(agent.account, agent_key_path(agent.agent, chain))
        if key is not None and key.active:
            found[chain] = key
    return found
