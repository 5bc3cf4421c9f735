"""``sixgate settings``: what the organisation chose."""

from typing import Annotated, get_args

import typer

from schemas.registry import SettingName, SettingSet
from signer.settings import Settings, checked_setting
from sixgate.cli.entries import entry
from sixgate.cli.options import DATA_DEFAULT, AsJson, Data
from sixgate.cli.session import not_found, session, usage
from sixgate.cli.terminal import notices, print_json, rows, safe, screen, table
from streams.simulators.report import VALID_MS

MEANING = {
    "policies.require_explicit": "true: a policy must say any or unlimited in words; or false",
    "simulation.required": "requested: where an intent asks for it; or always",
    "simulation.age_ms_max": f"how old a simulation may be, 1000 to {VALID_MS} milliseconds",
    "org.tier": "pro, team, business or enterprise: the mode of new vaults of treasury keys",
}
app = typer.Typer(
    no_args_is_help=True,
    help="What the organisation chose.",
    epilog="Example: sixgate settings get",
)


@app.command(epilog="Example: sixgate settings get simulation.required")
def get(
    *,
    name: Annotated[str | None, typer.Argument(help="One setting; all if left out.")] = None,
    as_json: AsJson = False,
    data: Data = DATA_DEFAULT,
) -> None:
    """Show one setting or all."""
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
    name: Annotated[str, typer.Argument(help="The setting.")],
    value: Annotated[str, typer.Argument(help="Its new value.")],
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
        usage(f"{error} ({MEANING[name]})")
    with session(data) as here:
        here.register(entry(SettingSet, name=name, value=typed))
    notices().print(f"{name} is {_shown(typed)}.", highlight=False)


def _check(name: str, value: bool | int | str) -> None:  # noqa: FBT001 - a setting's value
    """Raise ``ValueError`` for a value that a setting cannot take, or that would change nothing."""
    if checked_setting(Settings(), name, value).simulation_age_ms_max > VALID_MS:
        raise ValueError(f"a simulation is worth nothing after {VALID_MS} ms, whatever {name} says")


def _typed(value: str) -> bool | int | str:
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() and value.isascii() else value


def _shown(value: object) -> str:
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)
