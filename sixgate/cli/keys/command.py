"""``sixgate keys``: makes, rotates and imports keys of six chains; only Ethereum keys sign."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from schemas.registry import AgentSet
from signer.custody.buffers import wiping
from signer.custody.errors import CorruptError, PrivateFileError
from signer.custody.private_file import read_private
from signer.custody.process import forbid_inspection
from signer.keys.paths import may_use
from sixgate.api import Json
from sixgate.authoring import operator
from sixgate.authoring.key_text import (
    ON_THE_COMMAND_LINE,
    TEXT_BYTES_MAX,
    KeyFormatError,
    looks_like_a_key,
    read_key_text,
)
from sixgate.authoring.operator import KeyTarget
from sixgate.authoring.producer import Directory, key_changes
from sixgate.cli.entries import entry
from sixgate.cli.formats import key_address
from sixgate.cli.keys.selection import (
    newest_version,
    previous_version,
    selected_key,
    with_key_options,
)
from sixgate.cli.keys.shares import key_plan, sealed_share
from sixgate.cli.keys.views import ability, key_list, permitted_agents
from sixgate.cli.render import show
from sixgate.cli.session import Session, fail_usage, session
from sixgate.cli.terminal import notices, print_json, safe, screen
from sixgate.cli.typer_options import DATA_DEFAULT, AsJson, Data
from sixgate.cli.vault_options import VAULT


def _checked_vault(value: str | None) -> str | None:
    return value if value is None else str(VAULT.convert(value, None, None))


ShareOut = Annotated[
    Path | None,
    typer.Option(
        "--share-out",
        metavar="FILE",
        help="New file for the client share, in a mode that has one.",
    ),
]
KeyVault = Annotated[
    str | None,
    typer.Option(
        "--vault",
        metavar="VAULT",
        callback=_checked_vault,
        show_default="by the path",
        help="Vault for the key.",
    ),
]
app = typer.Typer(
    no_args_is_help=True,
    help="Manage keys of six chains; only Ethereum keys sign. Private keys stay in the signer.",
    epilog="Example: sixgate keys list",
)


@app.command(
    epilog="Examples: sixgate keys provision --agent payroll\n\n"
    "sixgate keys provision --chain base --account treasury --agent payroll\n\n"
    "sixgate keys provision --chain solana --account treasury"
)
@with_key_options
def provision(
    options: Json,
    *,
    vault: KeyVault = None,
    share_out: ShareOut = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Generate a key of an agent, of a chain or at a path, and grant it to --agent."""
    with session(data) as here:
        plan = key_plan(here, selected_key(here, options), vault, share_out)
        target, directory = plan.target, Directory.of(here.registry)
        key = plan.make_key(here, lambda: operator.provision(here.admin(), target))
        # If the process ends here, the key exists without the grant; add it with `agents update
        # --key-path`.
        _grant(here, options.get("agent"), target.path)
    _print_new(target, key, directory, as_json=as_json)


@app.command("list", epilog="Example: sixgate keys list --json")
def list_(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List all key versions with address, abilities, and the agents that may use them."""
    with session(data) as here:
        keys, agents = here.registry["keys"], here.registry["agents"]
    if as_json:
        print_json(
            [key | {"can": ability(key), "agents": permitted_agents(key, agents)} for key in keys]
        )
    else:
        show(key_list(keys, agents), screen())


@app.command(epilog="Example: sixgate keys rotate --agent payroll")
@with_key_options
def rotate(
    options: Json,
    *,
    share_out: ShareOut = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Generate a new version of a key, with a new address. The old version can no longer sign.

    Move the old address's funds first: afterwards this is impossible.
    """
    with session(data) as here:
        target = selected_key(here, options)
        last = newest_version(here, target)
        plan = key_plan(here, target, last["vault"], share_out)
        key = plan.make_key(
            here, lambda: operator.rotate(here.admin(), plan.target, last["version"])
        )
        old = previous_version(here, key)
    if old is not None:
        notices().print(f"{key_address(old)} is rotated and can no longer sign.", highlight=False)
    _print(target, key, as_json=as_json)


@app.command(epilog="Example: sixgate keys deactivate keys/base-signer --account treasury")
@with_key_options
def deactivate(options: Json, *, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """Revoke a key: it can no longer sign. `keys rotate` makes a new version at its path."""
    with session(data) as here:
        target = selected_key(here, options)
        key = operator.deactivate(here.admin(), target, newest_version(here, target)["version"])
    if as_json:
        print_json(key)
    else:
        notices().print(f"{key_address(key)} at {target.path} is deactivated.", highlight=False)


@app.command(
    "import",
    epilog="Examples: sixgate keys import hot.hex wallets/hot --account treasury\n\n"
    "vault read … | sixgate keys import - --chain base --account treasury",
)
@with_key_options
def import_(
    *,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|-", allow_dash=True, help="64 hex digits; - reads standard input."
        ),
    ],
    options: Json,
    vault: KeyVault = None,
    share_out: ShareOut = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Import a private key, sealed to the signer before it leaves this command."""
    forbid_inspection()  # before the key is in memory
    with wiping(_secret(file)) as secret, session(data) as here:
        plan = key_plan(here, selected_key(here, options), vault, share_out)
        target, directory = plan.target, Directory.of(here.registry)
        key = plan.make_key(here, lambda: _import_key(here, target, secret, file))
        # If the process ends here, the key exists without the grant; add it with `agents update
        # --key-path`.
        _grant(here, options.get("agent"), target.path)
    _print_new(target, key, directory, as_json=as_json)
    notices().print("Any copy of this key can sign without Sixgate's rules: destroy all copies.")


@app.command(
    "seal-share",
    epilog="Example: sixgate keys seal-share wallets/cold --agent payroll --share cold.share",
)
@with_key_options
def seal_share(
    *,
    share: Annotated[
        Path, typer.Option("--share", metavar="FILE", help="Client share of the key.")
    ],
    options: Json,
    data: Data = DATA_DEFAULT,
) -> None:
    """Seal the client share to the signer's share key. Only this agent's intents can use it.

    It stays valid for one day after the signer announces the next share key.
    """
    agent = options.get("agent") or fail_usage("no agent selected: give --agent")
    with session(data) as here:
        key = newest_version(here, selected_key(here, options))
        print_json(sealed_share(here, agent, key, share))


def _import_key(here: Session, target: KeyTarget, secret: bytearray, file: Path) -> Json:
    try:
        return operator.import_key(here.admin(), target, secret)
    except CorruptError:
        fail_usage(
            f"{file} does not contain a valid {target.chain} key: check the file and --chain"
        )


def _secret(file: Path) -> bytearray:
    piped = str(file) == "-"
    if not piped and not file.exists():
        fail_usage(_no_file(file))
    try:
        return read_key_text(_piped() if piped else read_private(file, TEXT_BYTES_MAX))
    except (PrivateFileError, KeyFormatError) as error:
        fail_usage(f"{'standard input' if piped else file} {error}")


def _no_file(file: Path) -> str:
    if looks_like_a_key(str(file)):
        return f"FILE {ON_THE_COMMAND_LINE}; put another key into a private file, or pipe it in"
    return f"{file} cannot be opened (No such file or directory): check the path"


def _piped() -> bytearray:
    if sys.stdin.isatty():
        fail_usage("a key is not read from a terminal: pipe it in, or name a file")
    text, size_bytes = bytearray(TEXT_BYTES_MAX), 0
    # Bypass Python's buffer, which would keep a copy of the key.
    while read := os.readv(sys.stdin.fileno(), [memoryview(text)[size_bytes:]]):
        size_bytes += read
    return text


def _grant(here: Session, agent: str | None, path: str) -> None:
    if agent is None:
        return
    record: Json = here.agent(agent)
    granted = record.get("key_paths", [])
    if not may_use(tuple(granted), agent, path):
        here.register(entry(AgentSet, **record | {"key_paths": [*granted, path]}))


def _print_new(target: KeyTarget, key: Json, before: Directory, *, as_json: bool) -> None:
    _print(target, key, as_json=as_json)
    for change in key_changes(before, target.account, target.path):
        notices().print(safe(change, "yellow"))


def _print(target: KeyTarget, key: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(key)
        return
    notices().print(f"Address of {target.path} in account {target.account}:", highlight=False)
    screen().print(key_address(key), highlight=False)
