"""``sixgate secrets``: stores secrets as admin or agent, reads them as an agent with a grant."""

import os
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast, get_args

from schemas.keys.vault_events import VALUE_BYTES_MAX, SecretKind
from signer.custody.atomic_write import MODE_PRIVATE, write_atomic
from signer.custody.buffers import wipe, wiping
from signer.custody.cmek import CmekContext
from signer.custody.process import forbid_inspection
from sixgate.api import Json
from sixgate.authoring.vault_orders import NewSecret, VaultId, store
from sixgate.cli.client_shares import client_of, sealed_client_share, was_interrupted
from sixgate.cli.customer_layer import layered, require_customer_key, unlayered
from sixgate.cli.declare import Option, argument, flag, gathered, group
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.files import read_own, read_piped
from sixgate.cli.formats import format_time
from sixgate.cli.options import FILE, NAME, one_of
from sixgate.cli.render import Field, View, table
from sixgate.cli.session import Session, not_found, shows, with_session
from sixgate.cli.terminal import notice
from sixgate.cli.vault_options import (
    account_option,
    customer_key_option,
    path_argument,
    reader_option,
    share_out,
    vault_argument,
    version_option,
)

KINDS = get_args(SecretKind)
KIND_DEFAULT = "password"
app = group("secrets", example="list prod --account treasury")


_value_argument = argument(
    "[FILE|-]", "File with the value; - reads standard input.", name="value", type=FILE
)
_storing = gathered(
    "options",
    flag("--generate", "Let the signer generate the value. A generated key cannot be read."),
    account_option,
    Option("--agent", "Order as this agent.", type=NAME, show_default="the admin"),
    share_out,
    customer_key_option,
)
"""Add the options for a new version: its value, and who stores it; they arrive as ``options``."""
_maybe_reader = Option("--agent", "Read as this agent; its key in the folder signs.", type=NAME)


def _stored(made: Json) -> list[View]:
    how = "Generated" if made["generated"] else "Stored"
    version = f"version {made['version']} of {made['path']}"
    notice(f"{how} {version} in {made['vault']} of {made['account']}.")
    return []


_VERSIONS = table(
    Field("path"),
    Field("version", right=True),
    Field("kind"),
    Field("generated", lambda one: "yes" if one["generated"] else "no"),
    Field("stored at", lambda one: format_time(one["stored_at_ms"])),
)


@app.command(
    "put",
    example="prod db/password value.txt --account treasury\n"
    "pass show db | sixgate secrets put prod db/password - --agent payroll\n"
    "prod api/token --generate --kind api_key --account treasury",
)
@vault_argument
@path_argument
@_value_argument
@Option(
    "--kind", f"One of {', '.join(KINDS)}.", type=one_of("kind", KINDS), show_default=KIND_DEFAULT
)
@_storing
@shows(_stored)
def put(
    here: Session, *, vault: str, path: str, value: Path | None, kind: str | None, options: Json
) -> Json:
    """Store a new secret, sealed to the signer before it leaves this command."""
    vault_id = _vault_id(here, options, vault)
    known = {one["path"] for one in _known(here, vault_id)}
    if path in known and not was_interrupted(options.get("share_out")):
        fail_usage(f"{path} already exists in {vault}: add a version with sixgate secrets rotate")
    new = NewSecret(path, 1, cast(SecretKind, kind or KIND_DEFAULT))
    return _store_version(here, options, vault_id, new, value)


@app.command(
    "rotate",
    example="prod db/password new.txt --account treasury\n"
    "prod api/token --generate --account treasury",
)
@vault_argument
@path_argument
@_value_argument
@_storing
@shows(_stored)
def rotate(here: Session, *, vault: str, path: str, value: Path | None, options: Json) -> Json:
    """Store the next version of a secret. Former versions stay readable by number."""
    vault_id = _vault_id(here, options, vault)
    before = _versions(here, vault_id, path)
    new = NewSecret(path, len(before) + 1, before[0]["kind"])
    return _store_version(here, options, vault_id, new, value)


@app.command(
    "get",
    example="prod db/password --agent payroll\n"
    "cold seed --agent payroll --share seed.share --out seed.txt",
)
@vault_argument
@path_argument
@reader_option
@version_option
@Option("--share FILE", "File with the client share, in a mode that has one.", type=FILE)
@customer_key_option
@Option("--out FILE", "New private file.", type=FILE, show_default="standard output")
@with_session
def get(  # noqa: PLR0913 - one parameter per option
    here: Session,
    *,
    vault: str,
    path: str,
    agent: str,
    version: int | None,
    share: Path | None,
    customer_key: Path | None,
    out: Path | None,
) -> None:
    """Read a secret as an agent with a grant; the value is written unchanged to standard output."""
    forbid_inspection()  # before the secret is in memory
    with ExitStack() as opened:
        by = here.reader(agent)
        wanted, sealed = sealed_client_share(by, vault, path, version, share)
        (answer,) = by.ask("get", vault, path, wanted, sealed)
        value = opened.enter_context(wiping(bytearray.fromhex(str(answer.value)[2:])))
        context = CmekContext(
            org=by.org, account=by.account, vault=vault, path=path, version=answer.version
        )
        _write_value(out, opened.enter_context(unlayered(value, context, customer_key)))


@app.command("list", example="prod --account treasury\nprod --agent payroll --json")
@vault_argument
@account_option
@_maybe_reader
@shows(_VERSIONS)
def list_(here: Session, *, vault: str, account: str | None, agent: str | None) -> list[Json]:
    """List the newest version of each secret in a vault, or of those an --agent may list."""
    if agent:
        return [one.model_dump(exclude={"value"}) for one in here.reader(agent).ask("list", vault)]
    every = _known(here, VaultId(here.account(account), vault))
    return list({one["path"]: one for one in every}.values())


@app.command(
    "history",
    example="prod db/password --account treasury\nprod db/password --agent payroll --json",
)
@vault_argument
@path_argument
@account_option
@_maybe_reader
@shows(_VERSIONS)
def history(
    here: Session, *, vault: str, path: str, account: str | None, agent: str | None
) -> list[Json]:
    """List all versions of a secret, without values."""
    if agent:
        answer = here.reader(agent).ask("history", vault, path)
        return [one.model_dump(exclude={"value"}) for one in answer]
    return _versions(here, VaultId(here.account(account), vault), path)


def _vault_id(here: Session, options: Json, vault: str) -> VaultId:
    """Return the vault of the agent's account, or of the named account."""
    owner = here.owner(options.get("agent"), options.get("account"))
    vault_id = VaultId(here.account(owner), vault)
    here.vault(*vault_id)
    return vault_id


def _store_version(
    here: Session, options: Json, vault_id: VaultId, new: NewSecret, value: Path | None
) -> Json:
    """Store a version, save its client share if it has one, and return the signer's answer."""
    if bool(options.get("generate")) is (value is not None):
        fail_usage("give one value: a file, - for standard input, or --generate")
    vault = here.vault(*vault_id)
    require_customer_key(vault, options.get("customer_key"))
    client = client_of(here.folder, vault, new.path, options.get("share_out"))
    share_for = client.share_for if client else None

    def made() -> Json:
        return _ordered(here, options, vault_id, replace(new, share_for=share_for), value)

    return client.make_version(here, made) if client else made()


def _ordered(
    here: Session, options: Json, vault_id: VaultId, new: NewSecret, value: Path | None
) -> Json:
    by = here.orderer(options.get("agent"))
    if value is None:
        return store(by, vault_id, new)
    forbid_inspection()  # before the value is in memory
    with wiping(_read_value(value)) as read:
        org, version = here.registry["org"], new.version
        layer = CmekContext(org=org, **vault_id._asdict(), path=new.path, version=version)
        sealed = layered(read, layer, options.get("customer_key"))
        return store(by, vault_id, replace(new, value=sealed))


def _known(here: Session, vault_id: VaultId) -> list[Json]:
    here.vault(*vault_id)
    found: list[Json] = here.api.vault(*vault_id)["secrets"]
    return found


def _versions(here: Session, vault_id: VaultId, path: str) -> list[Json]:
    """Return the versions of a secret; an unknown path ends the command."""
    known = _known(here, vault_id)
    found = [one for one in known if one["path"] == path]
    return found or not_found("secret", path, {one["path"] for one in known})


def _read_value(file: Path) -> bytearray:
    """Return a value unchanged, in a buffer that the caller wipes; ``-`` is standard input."""
    if str(file) != "-" and not os.path.exists(file):  # noqa: PTH110 - False for a long name too
        # Do not repeat the name: the user may have typed the value itself.
        fail_usage("the file with the value does not exist: give an existing file, or - for a pipe")
    piped = str(file) == "-"
    value = read_piped("secret", VALUE_BYTES_MAX + 1) if piped else read_own(file, VALUE_BYTES_MAX)
    if not value:
        fail_usage(f"{'standard input' if piped else file} is empty: give a value")
    if len(value) > VALUE_BYTES_MAX:
        wipe(value)
        fail_usage(f"the value is larger than {VALUE_BYTES_MAX} bytes: split it")
    return value


def _write_value(file: Path | None, value: bytes | bytearray) -> None:
    """Write a value unchanged to a new private file, or to standard output."""
    if file is not None:
        write_atomic(file, value, replace=False, mode=MODE_PRIVATE)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(value)
    if sys.stdout.isatty():
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
