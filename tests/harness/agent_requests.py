"""Requests of the first person that create and change agents."""

from typing import Any

from tests.harness.api import Api


def create(api: Api, **members: Any) -> Any:
    """Return the reply to a request for an agent with these members."""
    return api.client.post("/v1/agents", json={"name": "bot"} | members, headers=api.person)


def patch(api: Api, agent_id: str, **members: Any) -> Any:
    """Return the reply to a change of these members of an agent."""
    return api.client.patch(f"/v1/agents/{agent_id}", json=members, headers=api.person)
