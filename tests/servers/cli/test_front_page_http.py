"""README's road over HTTP: its commands end in a signature, its MCP configurations serve tools."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from sixgate.mcp.tools import TOOLS
from tests.harness.cli.command_line import COMMAND, SECONDS_MAX, CommandLine, stopped

ROOT = Path(__file__).parents[3]
SECTION = (ROOT / "README.md").read_text().partition("## Over HTTP")[2].partition("\n## ")[0]
SETUP, REQUESTS = re.findall(r"(?s)```sh\n(.*?)```", SECTION)
STDIO, STREAMABLE = (
    json.loads(block)["mcpServers"]["sixgate"]
    for block in re.findall(r"(?s)```json\n(.*?)```", SECTION)
)
ADDRESS = "127.0.0.1:8600"
pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and not (shutil.which("curl") and shutil.which("jq")),
    reason="there is no curl or no jq here",
)


class Road(NamedTuple):
    """The folder in which the commands ran, the URL of the API, and the replies they printed."""

    folder: Path
    url: str
    replies: list[dict[str, Any]]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Road]:
    folder = tmp_path_factory.mktemp("front-page")
    program = folder / "bin" / "sixgate"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o700)
    *setup, up = SETUP.splitlines()
    assert up.split() == ["sixgate", "up", "--http", ADDRESS]
    bash("\n".join(setup), folder)
    # A free port takes the place of the page's.
    running = CommandLine(folder / "sixgate-data").start("up", "--http", "127.0.0.1:0")
    try:
        assert running.stderr
        line = running.stderr.readline()
        assert line.startswith("Serving "), line
        url = line.split(" and ")[1].split(";")[0]
        printed = bash(REQUESTS.replace(f"http://{ADDRESS}", url), folder)
        yield Road(folder, url, list(documents(printed)))
    finally:
        assert stopped(running, signal.SIGTERM) == 0


def bash(script: str, folder: Path) -> str:
    """Run a page's commands and return what they print; the first failing one ends them."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["/bin/bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment(folder) | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if "SIXGATE" not in name}
    return kept | {"HOME": str(folder), "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'client'}"}


def documents(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON documents that follow each other in a text."""
    while text := text.strip():
        document, end = json.JSONDecoder().raw_decode(text)
        yield document
        text = text[end:]


def test_three_requests_lead_to_a_signature(road: Road) -> None:
    assert len(re.findall(r"^curl ", REQUESTS, re.MULTILINE)) == 3
    key, transaction = road.replies
    assert key["chain"] == "ethereum"
    assert (transaction["status"], transaction["broadcast"]) == ("signed", False)
    assert transaction["signed_tx"].startswith("0x02")
    assert transaction["from"] == key["address"]


def test_the_files_with_api_keys_are_private(road: Road) -> None:
    for name in ("alice.key", "agent.key", "agent.json"):
        assert (road.folder / name).stat().st_mode & 0o077 == 0


def test_the_desktop_configuration_serves_the_agents_tools(road: Road) -> None:
    assert STDIO["command"] == "sixgate"
    replaced = {
        f"http://{ADDRESS}": road.url,
        "/home/me/agent.key": str(road.folder / "agent.key"),
    }
    words = [replaced.get(word, word) for word in STDIO["args"]]
    assert words != STDIO["args"]
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "sixgate", *words],
        env=environment(road.folder),
        cwd=road.folder,
    )
    assert asyncio.run(listed(Client(stdio_client(command)))) == {road.replies[1]["id"]}


def test_the_streamable_configuration_serves_the_agents_tools(road: Road) -> None:
    api_key = (road.folder / "agent.key").read_text().strip()
    headers = {
        name: value.replace("ocv_…", api_key) for name, value in STREAMABLE["headers"].items()
    }
    url = STREAMABLE["url"].replace(f"http://{ADDRESS}", road.url)
    assert url.startswith(road.url)

    async def run() -> set[str]:
        async with httpx2.AsyncClient(headers=headers) as http:
            return await listed(Client(streamable_http_client(url, http_client=http)))

    assert asyncio.run(run()) == {road.replies[1]["id"]}


async def listed(client: Client) -> set[str]:
    """Return the ids of the transactions that the tools list."""
    async with client:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS.keys()
        result = await client.call_tool("list_transactions", {})
        assert not result.is_error, result
        content = result.structured_content
        assert content is not None
        return {transaction["id"] for transaction in content["transactions"]}
