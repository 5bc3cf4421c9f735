"""``sixgate settings``: the settings of the organisation."""

from typing import Annotated, get_args

import typer

from schemas.registry import SettingName, SettingSet
from signer.settings import Settings, checked_setting
from sixgate.cli.entries import entry
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data
from sixgate.cli.session import fail_usage, not_found, session
from sixgate.cli.terminal import notices, print_json, rows, safe, screen, table
from streams.simulators.report import VALID_MS

MEANING = {
    "policies.require_explicit": "true: a policy must set every limit or say unlimited; or false",
    "simulation.required": "requested: if an intent asks for it; or always",
    "simulation.age_ms_max": f"maximum age of a simulation, 1000 to {VALID_MS} ms",
    "idempotency.remember_ms": "how long idempotency keys are remembered, 1 to 30 days in ms",
    "org.tier": "pro, team, business or enterprise: sets the mode of new treasury vaults",
}
app = typer.Typer(
    no_args_is_help=True,
    help="Show and change the organisation's settings.",
    epilog="Example: sixgate settings get",
)


@app.command(epilog="Example: sixgate settings get simulation.required")
def get(
    *,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", show_default="all", help="Name of a setting.")
    ] = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Show one setting, or all."""
    with session(data) as here:
        settings = dict.fromkeys(get_args(SettingName)) | here.registry["settings"]
    if name is not None and name not in settings:
        not_found("setting", name, settings)
    if as_json:
        print_json(settings if name is None else settings[name])
    elif name is not None:
        screen().print(safe(_shown(settings[name])))
    else:
        cells = ((key, _shown(value), MEANING.get(key, "")) for key, value in settings.items())
        screen().print(rows(table("setting", "value", "meaning"), cells))


@app.command("set", epilog="Example: sixgate settings set simulation.required always")
def set_(
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the setting.")],
    value: Annotated[str, typer.Argument(metavar="VALUE", help="New value.")],
    data: Data = DATA_DEFAULT,
) -> None:
    """Change a setting for the whole organisation."""
    known = get_args(SettingName)
    if name not in known:
        not_found("setting", name, known)
    typed = _typed(value)
    try:
        _check(name, typed)
    except ValueError as error:
        fail_usage(f"{error} ({MEANING[name]})")
    with session(data) as here:
        here.register(entry(SettingSet, name=name, value=typed))
    notices().print(f"{name} is {_shown(typed)}.", highlight=False)


def _check(name: str, value: bool | int | str) -> None:  # noqa: FBT001 - a setting's value
    """Raise ``ValueError`` for a value that is invalid, or above the validity of simulations."""
    if checked_setting(Settings(), name, value).simulation_age_ms_max > VALID_MS:
        raise ValueError(f"a simulation expires after {VALID_MS} ms, so {name} cannot be longer")


def _typed(value: str) -> bool | int | str:
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() and value.isascii() else value


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)
