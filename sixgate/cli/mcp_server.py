"""``sixgate mcp``: the MCP server of one agent, over standard input and output."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sixgate.cli.session import fail_usage

API_KEY_VARIABLE = "SIXGATE_API_KEY"


def mcp(
    *,
    url: Annotated[
        str | None, typer.Option(metavar="https://HOST", help="Address of the HTTP API.")
    ] = None,
    socket: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Unix socket of the HTTP API.")
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            show_default=API_KEY_VARIABLE,
            help="File with the agent's API key (ocv_…).",
        ),
    ] = None,
) -> None:
    """Serve an agent's tools to a model by MCP on standard input and output."""
    import anyio
    from sixgate_client import AsyncClient

    from sixgate.mcp.server import serve_stdio

    if (url is None) == (socket is None):
        fail_usage("give --url or --socket, and only one of the two")
    try:
        client = AsyncClient(
            url,
            api_key=_api_key(api_key_file),
            unix_socket=None if socket is None else str(socket),
        )
    except ValueError as error:
        fail_usage(str(error))
    anyio.run(serve_stdio, client)


def _api_key(file: Path | None) -> str | None:
    key = file.read_text().strip() if file else os.environ.get(API_KEY_VARIABLE)
    if key is not None and not (key.isascii() and key.isprintable() and key):
        fail_usage("the API key must be one line of ASCII text")
    return key
