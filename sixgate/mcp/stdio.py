"""MCP over standard input and output, for one agent."""

from mcp.server.stdio import stdio_server
from sixgate_client import AsyncClient

from sixgate.mcp.server import create_server


async def serve(client: AsyncClient) -> None:
    """Serve until standard input ends."""
    server = create_server(lambda _context: client)
    async with client, stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())
