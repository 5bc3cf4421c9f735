"""``sixgate services``: trusted services, registrars and gateways, resealing of the signer."""

import os
from pathlib import Path

import click

from schemas.registry.records import ServiceSet
from sixgate.cli.declare import Group, Option, argument, flag
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.options import (
    DATA_DEFAULT,
    DATA_VARIABLE,
    NAME,
    config_option,
    data_option,
    process_settings,
)
from sixgate.cli.render import Field, show, table
from sixgate.cli.session import Session, entry, known, session, with_session
from sixgate.cli.terminal import notice, print_json
from sixgate.data_folder.folder import ADMIN
from sixgate.data_folder.key_files import ensure_public_key
from sixgate.data_folder.signer_files import SIGNER

ROLES = ("registrar", "gateway")
"""The roles whose services this command adds and revokes."""
_SERVICES = table(
    Field("role"),
    Field("name"),
    Field("active", lambda one: "yes" if one["active"] else "no"),
    details=lambda one: [one["public_key"]],
)
_name = argument("NAME", "Name of the service.", type=NAME)


@click.group(cls=Group, invoke_without_command=True, example="--json\nadd registrar-1")
@flag("--json", "Print JSON for programs.", name="as_json")
@data_option
@config_option
def app(*, as_json: bool, data: Path) -> None:
    """List services with trusted signatures; add and revoke registrars and gateways."""
    if data != DATA_DEFAULT:
        os.environ[DATA_VARIABLE] = str(data)  # the subcommands read it
    if click.get_current_context().invoked_subcommand is not None:
        return
    with session(data) as here:
        found = here.registry["services"]
    if as_json:
        print_json(found)
    else:
        show(_SERVICES(found))


@app.command("add", example="registrar-1\ngateway-1 --role gateway")
@_name
@Option("--role ROLE", "Role: registrar or gateway.", type=click.Choice(ROLES), default=ROLES[0])
@Option("--public-key HEX", "Ed25519 public key, if the key was made elsewhere.")
@with_session
def add(here: Session, *, name: str, role: str, public_key: str | None) -> None:
    """Register a registrar or a gateway with its key file, which is created if missing.

    A gateway signs for the agents that were added with --gateway, and for no others.
    """
    others = {one["name"] for one in here.registry["services"] if one["role"] != role}
    if name in others | {ADMIN}:
        fail_usage(f"{name} is the name of another service or admin: choose another name")
    path = here.folder.key(name)
    # If the process ends after the key file is written, the next run registers the same key.
    key = public_key or ensure_public_key(path, name)
    here.register(entry(ServiceSet, role=role, name=name, public_key=key, active=True))
    where = "" if public_key else f"; its key is {path}"
    notice(f"{role.capitalize()} {name} is active{where}.")


@app.command("deactivate", example="registrar-0")
@_name
@with_session
def deactivate(here: Session, *, name: str) -> None:
    """Revoke a registrar or a gateway. Undo with `services add`."""
    among = {one["name"]: one for one in here.registry["services"] if one["role"] in ROLES}
    before = known(" or ".join(ROLES), name, among)
    here.register(entry(ServiceSet, **before | {"active": False}))
    notice(f"{before['role'].capitalize()} {name} is revoked.")


@app.command("reseal", example="--config signer.toml")
@config_option
def reseal() -> None:
    """Reseal the signer's identity under the root key in the settings; the identity stays the same.

    Run it on the signer's machine with its settings. The former root key must still be usable.
    """
    from sixgate.operate.reseal import reseal as resealed

    sealed, before, changed = resealed(process_settings())
    line = f"{SIGNER} ({sealed.public_key}) is sealed under {sealed.root}"
    if changed and before != sealed.root:
        line += f", formerly under {before}: copies of the former file open while that key exists"
    notice(f"{line}.")
