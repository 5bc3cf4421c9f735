"""Options shared by all commands for a single signature."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.strict_json import JsonError, read_json
from sixgate.api import Json
from sixgate.cli.typer_shared_options import with_options

ChainName = Annotated[
    str, typer.Option("--chain", metavar="NAME", help="Name, alias or id of the chain.")
]


def _sealed(file: str) -> Json:
    """Read a sealed client share from a file; the intent form validates it."""
    try:
        found: Json = read_json(Path(file).read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read ({error.strerror})") from None
    except JsonError as error:
        raise typer.BadParameter(
            f"{file} {error}: give a file with the output of keys seal-share"
        ) from None
    return found


with_common = with_options(
    "options",
    {
        "key_path": Annotated[
            str | None,
            typer.Option(
                metavar="PATH", show_default="the agent's or chain's", help="Path of the key."
            ),
        ],
        "idempotency_key": Annotated[
            str | None,
            typer.Option(
                metavar="TEXT",
                show_default="a new one",
                help="Name of the request; repeating it repeats the intent.",
            ),
        ],
        "expires_in_s": Annotated[
            int | None,
            typer.Option(
                "--expires-in-s", metavar="S", show_default="600", help="Validity in seconds."
            ),
        ],
        "client_share": Annotated[
            Json | None,
            typer.Option(
                metavar="FILE",
                parser=_sealed,
                help="Output of keys seal-share, for a key in client custody.",
            ),
        ],
        "mode": Annotated[
            str | None,
            typer.Option(
                metavar="MODE",
                show_default="sign_only",
                help="sign_only or submit (recorded; nothing is broadcast).",
            ),
        ],
    },
)
"""Add the options of every intent; those given arrive as ``options``."""


def named_chain(chain: str) -> str | int:
    """Return a chain for the intent form: an integer if it is an id."""
    return int(chain) if chain.isdecimal() and chain.isascii() else chain
