"""The official SDK's client, connected to the tools over each transport."""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from sixgate_client import AsyncClient

from sixgate.mcp.http import McpEndpoint
from sixgate.mcp.server import create_server
from tests.harness.client.stub_api import API_KEY, TOKEN, StubApi, on_a_socket

ROOT = Path(__file__).parents[3]
URL = "https://gateway.test"
Connect = Callable[[StubApi, Path], AbstractAsyncContextManager[Client]]


@asynccontextmanager
async def in_process(api: StubApi, _folder: Path) -> AsyncIterator[Client]:
    async with (
        AsyncClient(URL, token=TOKEN, transport=httpx.ASGITransport(api.app())) as caller,
        Client(create_server(lambda _context: caller)) as client,
    ):
        yield client


@asynccontextmanager
async def over_http(api: StubApi, _folder: Path, bearer: str = API_KEY) -> AsyncIterator[Client]:
    endpoint = McpEndpoint(api.app())
    async with endpoint.running(), calling(endpoint, bearer) as client:
        yield client


@asynccontextmanager
async def after_a_handshake(api: StubApi, _folder: Path) -> AsyncIterator[Client]:
    """Connect over HTTP as clients do that know only versions of the protocol before 2026."""
    endpoint = McpEndpoint(api.app())
    async with endpoint.running(), calling(endpoint, mode="legacy") as client:
        yield client


@asynccontextmanager
async def over_stdio(api: StubApi, folder: Path) -> AsyncIterator[Client]:
    path = folder / "api.sock"
    paths = os.pathsep.join([str(ROOT), str(ROOT / "client")])
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "sixgate", "mcp", "--socket", str(path)],
        env={"SIXGATE_API_KEY": API_KEY, "PYTHONPATH": paths, "HOME": str(folder)},
        cwd=folder,
    )
    with on_a_socket(api.app(), path):
        async with Client(stdio_client(command)) as client:
            yield client


@asynccontextmanager
async def calling(
    app: Any, bearer: str = TOKEN, mode: str = "auto", client: tuple[str, int] = ("192.0.2.1", 4711)
) -> AsyncIterator[Client]:
    """Connect to an application over HTTP, from the address ``client``."""
    transport = httpx2.ASGITransport(app, client=client)
    headers = {"authorization": f"Bearer {bearer}"}
    async with (
        httpx2.AsyncClient(transport=transport, headers=headers) as http,
        Client(streamable_http_client(f"{URL}/mcp", http_client=http), mode=mode) as found,
    ):
        yield found
