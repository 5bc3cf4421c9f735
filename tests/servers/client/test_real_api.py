"""The client and MCP against the real API of an embedded node, on TCP and on a Unix socket."""

import asyncio
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client as McpClient
from mcp import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult
from sixgate_client import (
    AsyncClient,
    Client,
    InvalidRequestError,
    NotFoundError,
    RefusedError,
    UnauthenticatedError,
)

from sixgate.api.app import add_mcp, create_app
from sixgate.api.limits import Limits
from sixgate.api.listeners import Listen, Tcp
from sixgate.api.server import serving
from tests.harness.api import Api, running_api

ROOT = Path(__file__).parents[3]
RECIPIENT = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"


@dataclass(frozen=True)
class Served:
    """A served API, and clients of a person and of an agent with an Ethereum key."""

    api: Api
    url: str
    socket: Path
    person: Client
    agent_key: str

    @property
    def agent(self) -> Client:
        return Client(self.url, api_key=self.agent_key)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("api")
    with running_api(folder / "data") as api:
        app = create_app(api.services)
        add_mcp(app)
        socket = folder / "s"
        with (
            serving(
                app, Listen(socket=socket, tcp=(Tcp(host="127.0.0.1", port=0),)), Limits()
            ) as address,
            Client(address.url, api_key=api.person_key) as person,
        ):
            agent = person.create_agent(
                name="trader",
                intents_api_enabled=True,
                tx_to_allowlist=[RECIPIENT],
                tx_max_value_eth="0.5",
                tx_daily_limit_eth="2",
                tx_allowed_chains=["base"],
            )
            person.provision_signing_key("ethereum", agent_id=agent["id"])
            yield Served(api, address.url, socket, person, agent["api_key"])


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


async def on_http(served: Served, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    headers = {"authorization": f"Bearer {served.agent_key}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        McpClient(streamable_http_client(f"{served.url}/mcp", http_client=http)) as client,
    ):
        return await client.call_tool(tool, arguments)


async def on_stdio(served: Served, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    environment = {
        "SIXGATE_API_KEY": served.agent_key,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")]),
        "HOME": str(served.socket.parent),
    }
    words = ["-m", "sixgate", "mcp", "--url", served.url]
    command = StdioServerParameters(
        command=sys.executable, args=words, env=environment, cwd=served.socket.parent
    )
    async with McpClient(stdio_client(command)) as client:
        return await client.call_tool(tool, arguments)


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
