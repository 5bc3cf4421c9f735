"""``sixgate services``: trusted services, registrars and gateways, resealing of the signer."""

import os
from pathlib import Path
from typing import Annotated

import typer

from schemas.registry import ServiceSet
from sixgate.cli.entries import entry
from sixgate.cli.render import Listing, Row, show
from sixgate.cli.session import fail_usage, not_found, session
from sixgate.cli.terminal import notices, print_json, screen
from sixgate.cli.typer_config import Config, config_file, use_config
from sixgate.cli.typer_options import DATA_DEFAULT, DATA_VARIABLE, AsJson, Data, checked_name
from sixgate.data_folder.folder import ADMIN, SIGNER
from sixgate.data_folder.key_files import ensure_public_key

ROLES = ("registrar", "gateway")
"""The roles whose services this command adds and revokes."""


def _role(value: str) -> str:
    if value not in ROLES:
        raise typer.BadParameter(f"{value!a} must be {' or '.join(ROLES)}")
    return value


ServiceName = Annotated[
    str, typer.Argument(metavar="NAME", callback=checked_name, help="Name of the service.")
]
Role = Annotated[
    str,
    typer.Option("--role", metavar="ROLE", callback=_role, help="Role: registrar or gateway."),
]
PublicKey = Annotated[
    str | None,
    typer.Option(
        "--public-key", metavar="HEX", help="Ed25519 public key, if the key was made elsewhere."
    ),
]
app = typer.Typer(
    help="List services with trusted signatures; add and revoke registrars and gateways.",
    epilog="Examples: sixgate services --json\n\nsixgate services add registrar-1",
)


@app.callback(invoke_without_command=True)
def services(
    *,
    context: typer.Context,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
    config: Config = None,
) -> None:
    """List the services whose signatures are trusted, with their public keys."""
    use_config(config)
    if data != DATA_DEFAULT:
        os.environ[DATA_VARIABLE] = str(data)  # the subcommands read it
    if context.invoked_subcommand is None:
        _list(data, as_json=as_json)


@app.command(
    epilog="Examples: sixgate services add registrar-1\n\n"
    "sixgate services add gateway-1 --role gateway"
)
def add(
    *,
    name: ServiceName,
    role: Role = ROLES[0],
    public_key: PublicKey = None,
    data: Data = DATA_DEFAULT,
) -> None:
    """Register a registrar or a gateway with its key file, which is created if missing.

    A gateway signs for the agents that were added with --gateway, and for no others.
    """
    with session(data) as here:
        others = {one["name"] for one in here.registry["services"] if one["role"] != role}
        if name in others | {ADMIN}:
            fail_usage(f"{name} is the name of another service or admin: choose another name")
        path = here.folder.key(name)
        # If the process ends after the key file is written, the next run registers the same key.
        key = public_key or ensure_public_key(path, name)
        here.register(entry(ServiceSet, role=role, name=name, public_key=key, active=True))
    where = "" if public_key else f"; its key is {path}"
    notices().print(
        f"{role.capitalize()} {name} is active{where}.", highlight=False, soft_wrap=True
    )


@app.command(epilog="Example: sixgate services deactivate registrar-0")
def deactivate(*, name: ServiceName, data: Data = DATA_DEFAULT) -> None:
    """Revoke a registrar or a gateway. Undo with `services add`."""
    with session(data) as here:
        known = {one["name"]: one for one in here.registry["services"] if one["role"] in ROLES}
        if name not in known:
            not_found(" or ".join(ROLES), name, known)
        here.register(entry(ServiceSet, **known[name] | {"active": False}))
    notices().print(f"{known[name]['role'].capitalize()} {name} is revoked.", highlight=False)


@app.command(epilog="Example: sixgate services reseal --config signer.toml")
def reseal(*, config: Config = None) -> None:
    """Reseal the signer's identity under the root key in the settings; the identity stays the same.

    Run it on the signer's machine with its settings. The former root key must still be usable.
    """
    from sixgate.scaled.resealing import reseal as resealed  # slow: imports a cloud SDK
    from sixgate.scaled.settings import load_settings

    use_config(config)
    sealed, before, changed = resealed(load_settings(config_file()))
    line = f"{SIGNER} ({sealed.public_key}) is sealed under {sealed.root}"
    if changed and before != sealed.root:
        line += f", formerly under {before}: copies of the former file open while that key exists"
    notices().print(f"{line}.", highlight=False, soft_wrap=True)


def _list(data: Path, *, as_json: bool) -> None:
    with session(data) as here:
        found = here.registry["services"]
    if as_json:
        print_json(found)
        return
    lines = [
        Row((one["role"], one["name"], "yes" if one["active"] else "no"), [one["public_key"]])
        for one in found
    ]
    show(Listing(("role", "name", "active"), lines), screen())
