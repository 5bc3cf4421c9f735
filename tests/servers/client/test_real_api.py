"""The client and MCP against the real API of an embedded node, on TCP and on a Unix socket."""

import asyncio
from typing import Any

import pytest
from sixgate_client import (
    AsyncClient,
    Client,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
)

from tests.harness.client.served_api import RECIPIENT, Served, on_http, on_stdio


def test_an_agent_reads_itself_its_keys_and_the_chains(served: Served) -> None:
    with served.agent as agent:
        me = agent.me()
        assert (me["tx_max_value_eth"], me["tx_to_allowlist"]) == ("0.5", [RECIPIENT])
        (key,) = agent.signing_keys()
        assert key["address"] == me["evm_address"]
        assert {"base", "sepolia"} <= {chain["name"] for chain in agent.chains()}
        assert list(agent.transactions()) == []


def test_people_administer_agents(served: Served) -> None:
    person = served.person
    made = person.create_agent(name="temporary", description="for a test")
    assert person.update_agent(made["id"], tx_max_value_eth="1")["tx_max_value_eth"] == "1"
    assert person.update_agent(made["id"], tx_max_value_eth=None)["tx_max_value_eth"] is None
    assert made["id"] in {agent["id"] for agent in person.agents()}
    renewed = person.rotate_agent_key(made["id"])
    with (
        Client(served.url, api_key=made["api_key"]) as old,
        Client(served.url, api_key=renewed) as new,
    ):
        assert new.me()["id"] == made["id"]
        with pytest.raises(UnauthenticatedError):
            old.me()
    person.delete_agent(made["id"])
    with pytest.raises(NotFoundError):
        person.agent(made["id"])


def test_errors_have_their_kinds(served: Served) -> None:
    with served.agent as agent:
        with pytest.raises(RefusedError) as refused:
            agent.provision_signing_key("bitcoin")
        assert refused.value.reason == "people_only"
        with pytest.raises(NotFoundError):
            list(agent.transactions(agent_id="00000000-0000-0000-0000-000000000000"))
        with pytest.raises(NotFoundError):
            agent.transaction("0x" + "00" * 32)
    with pytest.raises(InvalidRequestError) as invalid:
        served.person.create_agent(name="x", tx_max_value_eth="much")
    assert list(invalid.value.fields) == ["tx_max_value_eth"]
    with Client(served.url, api_key="ocv_wrong") as stranger, pytest.raises(UnauthenticatedError):
        stranger.me()


def test_the_asynchronous_client_works_on_the_socket(served: Served) -> None:
    async def run() -> Any:
        async with AsyncClient(unix_socket=str(served.socket), api_key=served.agent_key) as agent:
            await agent.chains()
            return await agent.me()

    assert asyncio.run(run())["name"] == "trader"


def test_a_token_of_the_exchange_works_alone(served: Served) -> None:
    token = served.api.token(served.agent_key)
    with Client(served.url, token=token) as agent:
        assert agent.signing_keys()  # asks who it is first


@pytest.mark.parametrize("transport", [on_http, on_stdio])
def test_a_model_learns_its_limits(served: Served, transport: Any) -> None:
    found = asyncio.run(transport(served, "explain_policy", {}))
    assert not found.is_error, found
    content = found.structured_content
    assert (content["max_value_eth"], content["left_24h_eth"]) == ("0.5", "2")
    assert content["chains"] == ["base"]
    assert [key["chain"] for key in content["keys"]] == ["ethereum"]


@pytest.mark.parametrize("transport", [on_http, on_stdio])
def test_a_model_may_not_make_keys(served: Served, transport: Any) -> None:
    found = asyncio.run(transport(served, "provision_signing_key", {"chain": "tron"}))
    assert found.is_error
    assert (found.structured_content["refused"], found.structured_content["reason"]) == (
        True,
        "people_only",
    )
