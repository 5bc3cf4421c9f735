"""Options that every command that asks for one signature takes."""

from pathlib import Path
from typing import Annotated

import typer

from schemas.strict_json import JsonError, read_json
from sixgate.api import Json
from sixgate.cli.shared_options import with_options

ChainName = Annotated[
    str, typer.Option("--chain", metavar="NAME", help="A chain's name, alias or id.")
]


def _sealed(file: str) -> Json:
    """Read what a file says of a client's share; the intent's form judges it."""
    try:
        found: Json = read_json(Path(file).read_bytes())
    except OSError as error:
        raise typer.BadParameter(f"{file} cannot be read ({error.strerror})") from None
    except JsonError as error:
        raise typer.BadParameter(f"{file} {error}: name what keys seal-share printed") from None
    return found


with_common = with_options(
    "said",
    {
        "key_path": Annotated[
            str | None, typer.Option(metavar="PATH", help="Another key than the chain's.")
        ],
        "idempotency_key": Annotated[
            str | None, typer.Option(metavar="TEXT", help="The same again is the same intent.")
        ],
        "expires_in_s": Annotated[
            int | None, typer.Option("--expires-in-s", metavar="S", help="Default 600.")
        ],
        "client_share": Annotated[
            Json | None,
            typer.Option(
                metavar="FILE",
                parser=_sealed,
                help="What keys seal-share printed, for a key in client custody.",
            ),
        ],
        "mode": Annotated[
            str | None,
            typer.Option(metavar="MODE", help="sign_only, or submit, which is recorded only."),
        ],
    },
)
"""Give a command the options of any intent; what was said arrives as ``said``."""


def named_chain(chain: str) -> str | int:
    """Return a chain as forms take it: a whole number is its id."""
    return int(chain) if chain.isdecimal() and chain.isascii() else chain
