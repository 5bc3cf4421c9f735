"""``sixgate services``: whose signatures to believe, and what operators may add to them."""

import os
from pathlib import Path
from typing import Annotated

import typer

from schemas.registry import ServiceSet
from sixgate.cli.config_option import Config, config_file, use_config
from sixgate.cli.entries import entry
from sixgate.cli.listing import Listing, Row, show
from sixgate.cli.options import DATA_DEFAULT, DATA_VARIABLE, AsJson, Data, checked_name
from sixgate.cli.session import not_found, session, usage
from sixgate.cli.terminal import notices, print_json, screen
from sixgate.data_folder.folder import ADMIN, SIGNER
from sixgate.data_folder.key_files import ensure_public_key

ROLE = "registrar"
Registrar = Annotated[
    str, typer.Argument(metavar="NAME", callback=checked_name, help="A registrar's name.")
]
app = typer.Typer(
    help="The processes whose signatures count, with their public keys.",
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
    """List the processes whose signatures count; or change which registrars do, and more."""
    use_config(config)
    if data != DATA_DEFAULT:
        os.environ[DATA_VARIABLE] = str(data)  # where a command within looks
    if context.invoked_subcommand is None:
        _list(data, as_json=as_json)


@app.command(epilog="Example: sixgate services add registrar-1")
def add(*, name: Registrar, data: Data = DATA_DEFAULT) -> None:
    """Register a registrar with its key file, which is made where there is none."""
    with session(data) as here:
        others = {one["name"] for one in here.registry["services"] if one["role"] != ROLE}
        if name in others | {ADMIN}:
            usage(f"{name} is somebody else's name and key: name the registrar otherwise")
        key = ensure_public_key(here.folder.key(name), name)
        here.register(entry(ServiceSet, role=ROLE, name=name, public_key=key, active=True))
        path = here.folder.key(name)
    notices().print(f"Registrar {name} counts; its key is {path}.", highlight=False, soft_wrap=True)


@app.command(epilog="Example: sixgate services deactivate registrar-0")
def deactivate(*, name: Registrar, data: Data = DATA_DEFAULT) -> None:
    """Believe a registrar no longer; services add takes it back."""
    with session(data) as here:
        known = {one["name"]: one for one in here.registry["services"] if one["role"] == ROLE}
        if name not in known:
            not_found(ROLE, name, known)
        here.register(entry(ServiceSet, **known[name] | {"active": False}))
    notices().print(f"Registrar {name} counts no more.", highlight=False)


@app.command(epilog="Example: sixgate services reseal --config signer.toml")
def reseal(*, config: Config = None) -> None:
    """Seal the signer's own identity under the root key that the settings name; it stays the same.

    Run it where the signer runs, with its settings. What it was sealed under has to open still.
    """
    from sixgate.scaled.resealing import reseal as resealed  # loads an SDK
    from sixgate.scaled.settings import load_settings

    use_config(config)
    sealed, before, changed = resealed(load_settings(config_file()))
    told = f"{SIGNER} ({sealed.public_key}) is sealed under {sealed.root}"
    if changed and before != sealed.root:
        told += (
            f", and was under {before}: a copy of its former file opens as long as that is there"
        )
    notices().print(f"{told}.", highlight=False, soft_wrap=True)


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
