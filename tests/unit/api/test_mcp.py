"""MCP over HTTP: tools act as the caller, and events name the caller's address."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from sixgate.api.app import add_mcp, create_app
from sixgate.api.limits import LimitedApp
from sixgate.config.limits import KIB, Limits, Rate
from sixgate.mcp.http import BODY_BYTES_MAX
from tests.harness.api import Api

HEADERS = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def mcp(api: Api) -> Iterator[TestClient]:
    app = create_app(api.services)
    add_mcp(app)
    with TestClient(app, client=("203.0.113.7", 5)) as client:
        yield client


def call(mcp: TestClient, headers: dict[str, str], tool: str, **arguments: Any) -> Any:
    params = {"name": tool, "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    reply = mcp.post("/mcp", json=body, headers=headers | HEADERS)
    assert reply.status_code == 200, reply.text
    return reply.json()["result"]


def test_a_tool_acts_as_its_caller(api: Api, mcp: TestClient) -> None:
    _, headers = api.new_agent(tx_max_value_eth="0.25")
    explained = call(mcp, headers, "explain_policy")
    assert not explained.get("isError")
    assert "0.25" in str(explained["structuredContent"])


def test_an_agent_gets_a_refusal_as_a_result(api: Api, mcp: TestClient) -> None:
    _, headers = api.new_agent()
    refused = call(mcp, headers, "provision_signing_key", chain="ethereum")
    assert refused["isError"] is True
    assert "people_only" in str(refused)


def test_events_name_the_address_of_the_mcp_caller(api: Api, mcp: TestClient) -> None:
    agent_id, headers = api.new_agent()
    path = f"/v1/agents/{agent_id}/signing-keys"
    api.client.post(path, json={"chain": "ethereum"}, headers=api.person)
    call(mcp, headers, "submit_transaction", chain="base", to="0x" + "11" * 20, value="0")
    query = {"actor_id": f"agent:{agent_id}", "action": "transaction.submit"}
    found = api.client.get("/v1/audit/events", params=query, headers=api.person).json()
    assert [event["client_ip"] for event in found["events"]] == ["203.0.113.7"]


@pytest.mark.parametrize(("size", "status"), [(BODY_BYTES_MAX, 200), (BODY_BYTES_MAX + 1, 413)])
def test_a_body_is_short_because_it_is_parsed_first(
    mcp: TestClient, size: int, status: int
) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'.ljust(size)
    headers = HEADERS | {"Authorization": "Bearer wrong", "Content-Type": "application/json"}
    assert mcp.post("/mcp", content=body, headers=headers).status_code == status
    assert size <= 128 * KIB + 1


def test_tools_count_against_the_rate_of_their_agent(api: Api) -> None:
    _, headers = api.new_agent()
    app = create_app(api.services)
    add_mcp(app)
    limits = Limits(agent_rate=Rate(per_minute=1, burst=2))
    with TestClient(LimitedApp(app, limits, lambda: 0)) as client:
        found = [call(client, headers, "provision_signing_key", chain="base") for _ in range(2)]
    reasons = [result["structuredContent"]["reason"] for result in found]
    assert reasons == ["people_only", "rate_limited"]
    assert found[1]["structuredContent"]["retry_after_s"] == 60
