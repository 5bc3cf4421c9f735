"""The options that make an agent, shared by the commands that add and change one."""

from typing import Annotated

import typer

from sixgate.api import Json
from sixgate.cli.options import NO_PATHS, KeyPaths
from sixgate.cli.shared_options import with_options
from sixgate.cli.times import span_ms

NEVER = "never"


def _expiry(value: str | None) -> str | None:
    if value is not None and value != NEVER:
        try:
            span_ms(value)
        except ValueError as error:
            raise typer.BadParameter(f"{error}, nor {NEVER}") from None
    return value


with_fields = with_options(
    "said",
    {
        "key_paths": KeyPaths,
        "public_key": Annotated[
            str | None, typer.Option(metavar="HEX", help="Its Ed25519 key, if made elsewhere.")
        ],
        "expires_in": Annotated[
            str | None,
            typer.Option(metavar="SPAN", callback=_expiry, help="Such as 30d; or never."),
        ],
        "intents_api_enabled": Annotated[
            bool | None,
            typer.Option("--intents-api/--no-intents-api", help="May it use the Intents API?"),
        ],
    },
)
"""Give a command one option for each field of an agent; what was said arrives as ``said``."""


def fields(said: Json, now_ms: int) -> Json:
    """Return the fields of an agent that its options name; a None takes a field away."""
    named = dict(said)
    if named.get("key_paths") == NO_PATHS:
        named["key_paths"] = []
    span = named.pop("expires_in", None)
    if span is not None:
        named["expires_at_ms"] = None if span == NEVER else now_ms + span_ms(span)
    return named
