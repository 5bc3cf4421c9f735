"""MCP server: lists the tools, and calls the API for them with the client of each caller."""

import logging
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias, cast

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from pydantic import ValidationError
from sixgate_client import AsyncClient, SixgateError
from sixgate_client.async_client import AsyncOperations

from sixgate.mcp import results
from sixgate.mcp.strict_messages import StrictLines
from sixgate.mcp.tools import TOOLS, AgentTool, described

INSTRUCTIONS = (
    "Sixgate signs transactions within limits that a person set. Call explain_policy first. "
    "A refused result names the rule, what would pass and what is left: adapt, or ask the person. "
    "Never repeat a lost submission without its idempotency_key."
)
Context: TypeAlias = ServerRequestContext[Any, Any]
ClientOf: TypeAlias = Callable[[Context], AsyncOperations]
_LOG = logging.getLogger("sixgate.mcp")


def create_server(client_of: ClientOf) -> Server[Any]:
    """Return the server; ``client_of`` gives the client that acts for the caller of a request."""
    tools = described()  # once: building the schemas takes milliseconds

    async def call(context: Context, params: CallToolRequestParams) -> CallToolResult:
        tool = TOOLS.get(params.name)
        if tool is None:
            return results.misuse(f"there is no tool {params.name[:64]!a}: {', '.join(TOOLS)}")
        return await carry_out(tool, params.arguments or {}, client_of(context))

    async def listed(_context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=tools)

    return Server(
        "sixgate",
        version=_version(),
        instructions=INSTRUCTIONS,
        # Otherwise each call over HTTP lists all tools to find the schema of one.
        get_tool_input_schema={tool.name: tool.input_schema for tool in tools}.get,
        on_list_tools=listed,
        on_call_tool=call,
    )


async def serve_stdio(client: AsyncClient) -> None:
    """Serve one agent's tools until standard input ends."""
    server = create_server(lambda _context: client)
    lines = StrictLines(anyio.wrap_file(sys.stdin.buffer))
    async with client, stdio_server(stdin=cast(Any, lines)) as (received, sent):
        lines.answers = sent
        await server.run(received, sent, server.create_initialization_options())


async def carry_out(
    tool: AgentTool, given: dict[str, Any], client: AsyncOperations
) -> CallToolResult:
    """Call the API and return its reply, or what failed and what to do next."""
    try:
        arguments = tool.arguments.model_validate(given)
    except ValidationError as error:
        return results.invalid_arguments(error)
    try:
        return results.success(dict(await tool.call(client, **arguments.given())))
    except SixgateError as error:
        if results.is_refusal(error):
            return results.refusal(error, await _agent(client))
        return results.failure(error)
    except ValueError as error:  # an argument that cannot be a part of a path
        return results.misuse(str(error))
    except Exception as error:  # noqa: BLE001 - a model gets a result, never a traceback
        # Only its type, because the text of a foreign exception may contain a secret.
        _LOG.error("mcp.tool_failed", extra={"error": type(error).__name__})
        return results.failure(SixgateError("a defect in Sixgate: please report it"))


async def _agent(client: AsyncOperations) -> dict[str, Any] | None:
    """Return the agent's limits; a refusal is reported even if they cannot be read."""
    try:
        return dict(await client.me())
    except SixgateError:
        return None


def _version() -> str:
    try:
        return version("sixgate")
    except PackageNotFoundError:  # a checkout that is not installed
        return ""
