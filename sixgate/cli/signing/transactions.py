"""``sixgate tx``: signs one transaction, or decodes a signed one."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from schemas.strict_json import JsonError, read_json
from signer.ethereum.errors import EthereumError
from sixgate.api import Json
from sixgate.cli.render import Sheet, show
from sixgate.cli.session import fail_usage
from sixgate.cli.signing.decoded import decoded
from sixgate.cli.signing.one_signature import sign_one
from sixgate.cli.signing.options import ChainName, named_chain, with_common
from sixgate.cli.terminal import print_json, screen
from sixgate.cli.typer_options import DATA_DEFAULT, DATA_VARIABLE, Agent, AsJson
from sixgate.cli.typer_shared_options import with_options

app = typer.Typer(
    no_args_is_help=True,
    help="Sign a transaction, or decode a signed one.",
    epilog="Example: sixgate tx decode 0x02f8…",
)


def _option(flag: str, metavar: str, text: str, default: str | None = None) -> Any:
    return typer.Option(flag, metavar=metavar, help=text, show_default=default or True)


_OPTIONS: dict[str, Any] = {
    "value": Annotated[str | None, _option("--value", "ETH", "Value, a decimal.")],
    "data": Annotated[str | None, _option("--data", "HEX", "Call data or init code.")],
    "tx_type": Annotated[
        int | None, _option("--type", "N", "Transaction type, 0 to 4.", "by the fees")
    ],
    "gas_limit": Annotated[int | None, _option("--gas-limit", "N", "Gas limit.")],
    "gas_price_gwei": Annotated[
        str | None, _option("--gas-price-gwei", "GWEI", "Gas price, types 0 and 1.")
    ],
    "max_fee_gwei": Annotated[
        str | None, _option("--max-fee-gwei", "GWEI", "Max fee, types 2 to 4.")
    ],
    "max_priority_fee_gwei": Annotated[
        str | None, _option("--priority-fee-gwei", "GWEI", "Priority fee, types 2 to 4.")
    ],
    "access_list": Annotated[
        Path | None,
        _option("--access-list", "FILE", "Access list: JSON with address, storage_keys."),
    ],
    "max_blob_fee_gwei": Annotated[
        str | None, _option("--blob-fee-gwei", "GWEI", "Max blob fee, type 3.")
    ],
    "blob_versioned_hashes": Annotated[
        list[str] | None,
        _option("--blob-hash", "HASH", "Versioned hash of a blob, type 3 (repeatable)."),
    ],
    "authorization_list": Annotated[
        Path | None, _option("--authorizations", "FILE", "Signed authorizations in JSON, type 4.")
    ],
    "nonce": Annotated[int | None, _option("--nonce", "N", "Nonce.", "next free")],
    "simulate_first": Annotated[
        bool | None,
        typer.Option(
            "--simulate/--no-simulate",
            help="Require a successful simulation before signing.",
        ),
    ],
}
_FILES = ("access_list", "authorization_list")
_CREATE = "create"


@app.command("sign", epilog="Example: sixgate tx sign payroll --to 0x… --value 0.5 --chain base")
@with_options("fields", _OPTIONS)
@with_common
def sign(  # noqa: PLR0913 - Typer reads the options from the signature
    *,
    agent: Agent,
    to: Annotated[
        str, typer.Option(metavar="ADDRESS", help=f"Recipient, or {_CREATE} for a new contract.")
    ],
    chain: ChainName,
    as_json: AsJson = False,
    folder: Annotated[
        Path,
        typer.Option(
            "--folder",
            metavar="DIR",
            envvar=DATA_VARIABLE,
            help="Data folder (--data of other commands).",
        ),
    ] = DATA_DEFAULT,
    options: Json,
    fields: Json,
) -> None:
    """Request the signature of a transaction, wait for it and print the signed transaction."""
    named = fields | {name: _content(fields[name]) for name in _FILES if name in fields}
    members: Json = {"agent": agent, "chain": named_chain(chain)} | options | named
    members["to"] = None if to == _CREATE else to
    sign_one(members, as_json=as_json, data=folder)


def _content(file: Path) -> Any:
    try:
        return read_json(file.read_bytes())
    except JsonError as error:
        fail_usage(f"{file} {error}")


@app.command("decode", epilog="Example: sixgate tx decode 0x02f8… --json")
def decode(
    *,
    raw: Annotated[
        str, typer.Argument(metavar="HEX|-", help="Signed transaction; - reads standard input.")
    ],
    as_json: AsJson = False,
) -> None:
    """Decode a signed transaction. Invalid bytes are refused with the location of the error."""
    text = (sys.stdin.read() if raw == "-" else raw).strip()
    try:
        found = decoded(bytes.fromhex(text.removeprefix("0x")))
    except ValueError:
        fail_usage("HEX is not hex with two digits per byte")
    except EthereumError as error:
        fail_usage(f"HEX is not a signed transaction: {error}")
    if as_json:
        print_json(found)
    else:
        show(Sheet("", [(name, _shown(value)) for name, value in found.items()]), screen())


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
