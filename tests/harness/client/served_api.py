"""A served API of an embedded node, and ways to its tools."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client as McpClient
from mcp import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult
from sixgate_client import Client

from sixgate.api.app import add_mcp, create_app
from sixgate.api.listeners import Listen, Tcp
from sixgate.api.server import serving
from tests.harness.api import UNHURRIED, Api, running_api

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


@contextmanager
def serving_agent(folder: Path) -> Iterator[Served]:
    """Serve a new organisation with one agent: 0.5 ETH at once, 2 ETH a day, one recipient."""
    with running_api(folder / "data") as api:
        app = create_app(api.services)
        add_mcp(app)
        socket = folder / "s"
        with (
            serving(
                app, Listen(socket=socket, tcp=(Tcp(host="127.0.0.1", port=0),)), UNHURRIED
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
