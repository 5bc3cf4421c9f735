"""The configuration and the tools in docs/mcp.md are true."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

from mcp import Client, StdioServerParameters, stdio_client

from sixgate.mcp.tools import TOOLS
from tests.harness.builders.pages import DOCS
from tests.harness.client.stub_api import API_KEY, StubApi, on_a_socket

ROOT = Path(__file__).parents[3]
PAGE = (DOCS / "mcp.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE))


def test_the_desktop_configuration_starts_a_server_with_every_tool(tmp_path: Path) -> None:
    (server,) = json.loads(re.findall(r"(?s)```json\n(.*?)```", PAGE)[0])["mcpServers"].values()
    assert server["command"] == "sixgate"
    assert list(server["env"]) == ["SIXGATE_API_KEY"]
    path = tmp_path / "s"
    # The page's address is nobody's; a socket and a real key take its place.
    words = [*server["args"][: server["args"].index("--url")], "--socket", str(path)]
    environment = {
        "SIXGATE_API_KEY": API_KEY,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "client")]),
        "HOME": str(tmp_path),
    }
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "sixgate", *words], env=environment, cwd=tmp_path
    )

    async def run() -> set[str]:
        async with Client(stdio_client(command)) as client:
            assert not (await client.call_tool("explain_policy", {})).is_error
            return {tool.name for tool in (await client.list_tools()).tools}

    with on_a_socket(StubApi().app(), path):
        assert asyncio.run(run()) == TOOLS.keys()


def test_the_page_lists_every_tool_and_only_true_arguments() -> None:
    assert ROWS.keys() == TOOLS.keys()
    for name, arguments in ROWS.items():
        named = set(re.findall(r"`([a-z_]+)`", arguments)) - {"ethereum"}
        assert named <= TOOLS[name].arguments.model_fields.keys()
