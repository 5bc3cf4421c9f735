"""``sixgate services``: lists trusted services, adds and revokes registrars, reseals the signer."""

import os
from pathlib import Path
from typing import Annotated

import typer

from schemas.registry import ServiceSet
from sixgate.cli.config_option import Config, config_file, use_config
from sixgate.cli.entries import entry
from sixgate.cli.listing import Listing, Row, show
from sixgate.cli.options import DATA_DEFAULT, DATA_VARIABLE, AsJson, Data, checked_name
from sixgate.cli.session import fail_usage, not_found, session
from sixgate.cli.terminal import notices, print_json, screen
from sixgate.data_folder.folder import ADMIN, SIGNER
from sixgate.data_folder.key_files import ensure_public_key

ROLE = "registrar"
Registrar = Annotated[
    str, typer.Argument(metavar="NAME", callback=checked_name, help="Name of the registrar.")
]
app = typer.Typer(
    help="List services with trusted signatures; add and revoke registrars.",
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


@app.command(epilog="Example: sixgate services add registrar-1")
def add(*, name: Registrar, data: Data = DATA_DEFAULT) -> None:
    """Register a registrar with its key file, which is created if missing."""
    with session(data) as here:
        others = {one["name"] for one in here.registry["services"] if one["role"] != ROLE}
        if name in others | {ADMIN}:
            fail_usage(f"{name} is the name of another service or admin: choose another name")
        # If the process ends after the key file is written, the next run registers the same key.
        key = ensure_public_key(here.folder.key(name), name)
        here.register(entry(ServiceSet, role=ROLE, name=name, public_key=key, active=True))
        path = here.folder.key(name)
    notices().print(
        f"Registrar {name} is active; its key is {path}.", highlight=False, soft_wrap=True
    )


@app.command(epilog="Example: sixgate services deactivate registrar-0")
def deactivate(*, name: Registrar, data: Data = DATA_DEFAULT) -> None:
    """Revoke a registrar. Undo with `services add`."""
    with session(data) as here:
        known = {one["name"]: one for one in here.registry["services"] if one["role"] == ROLE}
        if name not in known:
            not_found(ROLE, name, known)
        here.register(entry(ServiceSet, **known[name] | {"active": False}))
    notices().print(f"Registrar {name} is revoked.", highlight=False)


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
