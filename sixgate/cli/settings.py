"""``sixgate settings``: the settings of the organisation."""

from typing import get_args

from schemas.registry.records import SettingName, SettingSet
from signer.core.errors import RegistryEntryError
from signer.core.registry.settings import Settings, checked_setting
from sixgate.cli.declare import argument, group
from sixgate.cli.exit_codes import fail_usage
from sixgate.cli.render import Answer, Field, Listing, table
from sixgate.cli.session import Session, entry, not_found, shows, with_session
from sixgate.cli.terminal import notice
from streams.simulators.report import VALID_MS

MEANING = {
    "policies.require_explicit": "true: a policy must set every limit or say unlimited; or false",
    "simulation.required": "requested: if an intent asks for it; or always",
    "simulation.age_ms_max": f"maximum age of a simulation, 1000 to {VALID_MS} ms",
    "idempotency.remember_ms": "how long idempotency keys are remembered, 1 to 30 days in ms",
    "org.tier": "pro, team, business or enterprise: sets the mode of new treasury vaults",
}
app = group("settings", example="get")


def _text(value: object) -> str:
    if value is None:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)


_SETTINGS = table(
    Field("setting", lambda row: row[0]),
    Field("value", lambda row: _text(row[1])),
    Field("meaning", lambda row: MEANING.get(row[0], "")),
)


def _view(found: object, *, name: str | None) -> Listing | str:
    return _SETTINGS(found.items()) if isinstance(found, dict) and name is None else _text(found)


@app.command("get", example="simulation.required")
@argument("[NAME]", "Name of a setting [default: all].")
@shows(_view)
def get(here: Session, *, name: str | None) -> Answer:
    """Show one setting, or all."""
    settings = dict.fromkeys(get_args(SettingName)) | here.registry["settings"]
    if name is not None and name not in settings:
        not_found("setting", name, settings)
    return Answer(settings if name is None else settings[name], name=name)


@app.command("set", example="simulation.required always")
@argument("NAME", "Name of the setting.")
@argument("VALUE", "New value.")
@with_session
def set_(here: Session, *, name: str, value: str) -> None:
    """Change a setting for the whole organisation."""
    known = get_args(SettingName)
    if name not in known:
        not_found("setting", name, known)
    typed = _typed(value)
    try:
        _check(name, typed)
    except RegistryEntryError as error:
        fail_usage(f"{error} ({MEANING[name]})")
    here.register(entry(SettingSet, name=name, value=typed))
    notice(f"{name} is {_text(typed)}.")


def _check(name: str, value: bool | int | str) -> None:  # noqa: FBT001 - a setting's value
    """Raise ``RegistryEntryError`` for an invalid value, or above the validity of simulations."""
    if checked_setting(Settings(), name, value).simulation_age_ms_max > VALID_MS:
        message = f"a simulation expires after {VALID_MS} ms, so {name} cannot be longer"
        raise RegistryEntryError(message)


def _typed(value: str) -> bool | int | str:
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() and value.isascii() else value
