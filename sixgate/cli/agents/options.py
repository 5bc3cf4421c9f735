"""Options for the fields of an agent, shared by ``agents add`` and ``agents update``."""

from typing import Annotated

import typer

from sixgate.api import Json
from sixgate.cli.options import NO_PATHS, KeyPaths, name_option
from sixgate.cli.session import fail_usage
from sixgate.cli.shared_options import with_options
from sixgate.cli.times import parse_duration_ms

NEVER = "never"


def _expiry(value: str | None) -> str | None:
    if value is not None and value != NEVER:
        try:
            parse_duration_ms(value)
        except ValueError as error:
            raise typer.BadParameter(f"{error}, or {NEVER}") from None
    return value


with_fields = with_options(
    "options",
    {
        "key_paths": KeyPaths,
        "public_key": Annotated[
            str | None,
            typer.Option(metavar="HEX", help="Ed25519 public key, if the key was made elsewhere."),
        ],
        "gateway": Annotated[
            str | None,
            name_option("--gateway", "Gateway that signs for the agent, which then has no key."),
        ],
        "expires_in": Annotated[
            str | None,
            typer.Option(metavar="SPAN", callback=_expiry, help="Expiry, such as 30d, or never."),
        ],
        "intents_api_enabled": Annotated[
            bool | None,
            typer.Option("--intents-api/--no-intents-api", help="Allow the Intents API."),
        ],
    },
)
"""Add an option for each field of an agent; those given arrive as ``options``."""


def fields(options: Json, now_ms: int) -> Json:
    """Return the fields that the options set; a None removes a field."""
    named = dict(options)
    if "gateway" in named and "public_key" in named:
        fail_usage("an agent has a key of its own or a gateway: give --public-key or --gateway")
    if "gateway" in named or "public_key" in named:
        named = {"gateway": None, "public_key": None} | named
    if named.get("key_paths") == NO_PATHS:
        named["key_paths"] = []
    span = named.pop("expires_in", None)
    if span is not None:
        named["expires_at_ms"] = None if span == NEVER else now_ms + parse_duration_ms(span)
    return named
