"""``sixgate message``, ``typed-data`` and ``authorization``: signs messages and delegations."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.strict_json import JsonError, read_json
from sixgate.api import Json
from sixgate.cli.session import fail_usage
from sixgate.cli.signing.one_signature import sign_one
from sixgate.cli.signing.options import ChainName, named_chain, with_common
from sixgate.cli.typer_options import DATA_DEFAULT, Agent, AsJson, Data

message = typer.Typer(
    no_args_is_help=True,
    help="Sign personal messages (EIP-191).",
    epilog="Example: sixgate message sign --help",
)
typed_data = typer.Typer(
    no_args_is_help=True,
    help="Sign typed data (EIP-712).",
    epilog="Example: sixgate typed-data sign --help",
)
authorization = typer.Typer(
    no_args_is_help=True,
    help="Sign delegations of a key's address (EIP-7702).",
    epilog="Example: sixgate authorization sign --help",
)


@message.command("sign", epilog='Example: sixgate message sign payroll "I am me" --chain base')
@with_common
def sign_message(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    agent: Agent,
    text: Annotated[str, typer.Argument(metavar="TEXT|-", help="Message; - reads standard input.")],
    chain: ChainName,
    as_hex: Annotated[
        bool, typer.Option("--hex", help="Read TEXT as bytes in hex with 0x.")
    ] = False,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
    options: Json,
) -> None:
    """Request the signature of a message, wait for it and print it."""
    named = {"message_hex" if as_hex else "message": text}
    if text == "-":
        named = {"message_hex": _standard_input(as_hex=as_hex)}
    sign_one(_members("personal_sign", agent, chain, options, named), as_json=as_json, data=data)


@typed_data.command(
    "sign", epilog="Example: sixgate typed-data sign payroll permit.json --chain ethereum"
)
@with_common
def sign_typed_data(
    *,
    agent: Agent,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|-", allow_dash=True, help="EIP-712 JSON; - reads standard input."
        ),
    ],
    chain: ChainName,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
    options: Json,
) -> None:
    """Request the signature of typed data, wait for it and print it."""
    raw = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    try:
        named = {"typed_data": read_json(raw)}
    except JsonError as error:
        fail_usage(f"{file} {error}")
    sign_one(_members("typed_data", agent, chain, options, named), as_json=as_json, data=data)


@authorization.command(
    "sign",
    epilog="Example: sixgate authorization sign payroll --delegate 0x… --chain base",
)
@with_common
def sign_authorization(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    agent: Agent,
    delegate: Annotated[str, typer.Option(metavar="ADDRESS", help="Contract to delegate to.")],
    nonce: Annotated[
        int | None,
        typer.Option(
            metavar="N", show_default="next free", help="Nonce; the next + 1 is also accepted."
        ),
    ] = None,
    chain: ChainName,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
    options: Json,
) -> None:
    """Request a signed delegation of the key's address to a contract, and print it."""
    named = {"delegate": delegate, "nonce": nonce}
    sign_one(_members("authorization", agent, chain, options, named), as_json=as_json, data=data)


def _standard_input(*, as_hex: bool) -> str:
    """Return standard input in hex; it may contain any bytes, not only text."""
    raw = sys.stdin.buffer.read()
    return raw.decode("ascii", "replace").strip() if as_hex else f"0x{raw.hex()}"


def _members(kind: str, agent: str, chain: str, options: Json, named: dict[str, Any]) -> Json:
    return {"kind": kind, "agent": agent, "chain": named_chain(chain)} | options | named
