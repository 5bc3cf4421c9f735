"""The organisation's settings, as the registry carries them."""

from dataclasses import dataclass, replace

AGE_MS_MIN = 1_000
AGE_MS_MAX = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Settings:
    """What an organisation may choose; the defaults are those of a new one."""

    require_explicit: bool = True
    simulation_always: bool = False
    simulation_age_ms_max: int = 60_000


def checked_setting(settings: Settings, name: str, value: object) -> Settings:
    """Return the settings with one changed; raise ``ValueError`` for a value it cannot take."""
    match name, value:
        case "policies.require_explicit", bool():
            return replace(settings, require_explicit=value)
        case "simulation.required", "requested" | "always":
            return replace(settings, simulation_always=value == "always")
        case "simulation.age_ms_max", int() if AGE_MS_MIN <= value <= AGE_MS_MAX:
            return replace(settings, simulation_age_ms_max=value)
    raise ValueError(f"the setting {name} cannot be {value!r}")


def as_entries(settings: Settings) -> dict[str, bool | int | str]:
    """Return the settings under their public names."""
    return {
        "policies.require_explicit": settings.require_explicit,
        "simulation.required": "always" if settings.simulation_always else "requested",
        "simulation.age_ms_max": settings.simulation_age_ms_max,
    }
