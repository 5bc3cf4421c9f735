"""``sixgate keys``: signing keys, kept inside; nobody ever sees a private one."""

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
from sixgate.authoring.operator import KeyPlace
from sixgate.authoring.producer import Directory, key_changes
from sixgate.cli.agents.views import ability, key_address, key_list, users
from sixgate.cli.entries import entry
from sixgate.cli.keys.choice import before, choose, newest, with_choice
from sixgate.cli.keys.shares import sealed_share, share_of_key
from sixgate.cli.listing import show
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data
from sixgate.cli.secrets.options import ShareOut
from sixgate.cli.session import Session, session, usage
from sixgate.cli.terminal import notices, print_json, safe, screen
from sixgate.cli.vaults.options import KeyVault

app = typer.Typer(
    no_args_is_help=True,
    help="Signing keys of six chains; kept inside, never shown.",
    epilog="Example: sixgate keys list",
)


@app.command(
    epilog="Examples: sixgate keys provision --agent payroll\n\n"
    "sixgate keys provision --chain base --account treasury --agent payroll\n\n"
    "sixgate keys provision --chain solana --account treasury"
)
@with_choice
def provision(
    said: Json,
    *,
    vault: KeyVault = None,
    share_out: ShareOut = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Generate a key: an agent's own, a chain's, or at a path; grant it to the agent named."""
    with session(data) as here:
        share = share_of_key(here, choose(here, said), vault, share_out)
        place, directory = share.place, Directory.of(here.registry)
        key = share.made(here, lambda: operator.provision(here.admin(), place))
        _grant(here, said.get("agent"), place.path)
    _tell_new(place, key, directory, as_json=as_json)


@app.command("list", epilog="Example: sixgate keys list --json")
def list_(*, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """List every version of all keys: the address, what it can do, and who may sign with it."""
    with session(data) as here:
        keys, agents = here.registry["keys"], here.registry["agents"]
    if as_json:
        print_json([key | {"can": ability(key), "agents": users(key, agents)} for key in keys])
    else:
        show(key_list(keys, agents), screen())


@app.command(epilog="Example: sixgate keys rotate --agent payroll")
@with_choice
def rotate(
    said: Json,
    *,
    share_out: ShareOut = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Generate a new version of a key, with a new address; the old one signs no more.

    Move what the old address holds before: nobody can afterwards.
    """
    with session(data) as here:
        place = choose(here, said)
        last = newest(here, place)
        share = share_of_key(here, place, last["vault"], share_out)
        key = share.made(here, lambda: operator.rotate(here.admin(), share.place, last["version"]))
        old = before(here, key)
    if old is not None:
        notices().print(f"{key_address(old)} is rotated out and signs no more.", highlight=False)
    _tell(place, key, as_json=as_json)


@app.command(epilog="Example: sixgate keys deactivate keys/base-signer --account treasury")
@with_choice
def deactivate(said: Json, *, as_json: AsJson = False, data: Data = DATA_DEFAULT) -> None:
    """Let a key sign no more; keys rotate puts a new version, of another address, there."""
    with session(data) as here:
        place = choose(here, said)
        key = operator.deactivate(here.admin(), place, newest(here, place)["version"])
    if as_json:
        print_json(key)
    else:
        notices().print(f"{key_address(key)} at {place.path} is deactivated.", highlight=False)


@app.command(
    "import",
    epilog="Examples: sixgate keys import hot.hex wallets/hot --account treasury\n\n"
    "vault read … | sixgate keys import - --chain base --account treasury",
)
@with_choice
def import_(
    *,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE|-", allow_dash=True, help="64 hex digits; - reads stdin."),
    ],
    said: Json,
    vault: KeyVault = None,
    share_out: ShareOut = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Take in a private key that was made elsewhere, sealed so that only the signer opens it."""
    forbid_inspection()  # before the key is here
    with wiping(_secret(file)) as secret, session(data) as here:
        share = share_of_key(here, choose(here, said), vault, share_out)
        place, directory = share.place, Directory.of(here.registry)
        key = share.made(here, lambda: _bring(here, place, secret, file))
        _grant(here, said.get("agent"), place.path)
    _tell_new(place, key, directory, as_json=as_json)
    notices().print("Whoever has a copy of it signs past every rule: destroy all copies.")


@app.command(
    "seal-share",
    epilog="Example: sixgate keys seal-share wallets/cold --agent payroll --share cold.share",
)
@with_choice
def seal_share(
    *,
    share: Annotated[
        Path, typer.Option("--share", metavar="FILE", help="The client's share of the key.")
    ],
    said: Json,
    data: Data = DATA_DEFAULT,
) -> None:
    """Seal the client's share of a key for one agent's intents; what is printed goes into them.

    It serves until the signer's share key is erased, a day after the next one came.
    """
    agent = said.get("agent") or usage("whose intents bring it? Say --agent")
    with session(data) as here:
        key = newest(here, choose(here, said))
        print_json(sealed_share(here, agent, key, share))


def _bring(here: Session, place: KeyPlace, secret: bytearray, file: Path) -> Json:
    try:
        return operator.import_key(here.admin(), place, secret)
    except CorruptError:
        usage(f"{file} holds no key of {place.chain}")


def _secret(file: Path) -> bytearray:
    piped = str(file) == "-"
    if not piped and not file.exists():
        usage(_no_file(file))
    try:
        return read_key_text(_piped() if piped else read_private(file, TEXT_BYTES_MAX))
    except (PrivateFileError, KeyFormatError) as error:
        usage(f"{'standard input' if piped else file} {error}")


def _no_file(file: Path) -> str:
    if looks_like_a_key(str(file)):
        return f"FILE {ON_THE_COMMAND_LINE}; name a file of your own, or pipe a key in"
    return f"{file} cannot be opened (No such file or directory): check the path"


def _piped() -> bytearray:
    if sys.stdin.isatty():
        usage("a key is not typed where it is seen: pipe it in, or name a file")
    text, size_bytes = bytearray(TEXT_BYTES_MAX), 0
    # Past Python's own buffer, which would keep a copy.
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


def _tell_new(place: KeyPlace, key: Json, before: Directory, *, as_json: bool) -> None:
    _tell(place, key, as_json=as_json)
    for change in key_changes(before, place.account, place.path):
        notices().print(safe(change, "yellow"))


def _tell(place: KeyPlace, key: Json, *, as_json: bool) -> None:
    if as_json:
        print_json(key)
        return
    notices().print(f"{place.path} of account {place.account} has the address:", highlight=False)
    screen().print(key_address(key), highlight=False)
