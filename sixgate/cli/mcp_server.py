"""``sixgate mcp``: the MCP server of one agent, over standard input and output."""

import os
from pathlib import Path

from sixgate.cli.declare import Option, command
from sixgate.cli.options import FILE
from sixgate.cli.session import fail_usage

API_KEY_VARIABLE = "SIXGATE_API_KEY"


@command(
    "mcp", epilog="Example: sixgate mcp --url https://gateway.example --api-key-file agent.key"
)
@Option("--url https://HOST", "Address of the HTTP API.")
@Option("--socket PATH", "Unix socket of the HTTP API.", type=FILE)
@Option(
    "--api-key-file FILE",
    "File with the agent's API key (ocv_…).",
    type=FILE,
    show_default=API_KEY_VARIABLE,
)
def mcp(*, url: str | None, socket: Path | None, api_key_file: Path | None) -> None:
    """Serve an agent's tools to a model by MCP on standard input and output."""
    import anyio
    from sixgate_client import AsyncClient

    from sixgate.mcp.server import serve_stdio

    if (url is None) == (socket is None):
        fail_usage("give --url or --socket, and only one of the two")
    unix_socket = None if socket is None else str(socket)
    try:
        client = AsyncClient(url, api_key=_api_key(api_key_file), unix_socket=unix_socket)
    except ValueError as error:
        fail_usage(str(error))
    anyio.run(serve_stdio, client)


def _api_key(file: Path | None) -> str:
    key = file.read_text().strip() if file else os.environ.get(API_KEY_VARIABLE)
    if key is None:
        fail_usage(f"give the agent's API key with --api-key-file or {API_KEY_VARIABLE}")
    if not (key.isascii() and key.isprintable() and key):
        fail_usage("the API key must be one line of ASCII text")
    return key
