"""The organisation's settings, set by registry records."""

from dataclasses import dataclass, replace
from typing import get_args

from schemas.intents.intent import EXPIRY_MS_MAX
from schemas.registry.custody import Tier
from signer.core.errors import RegistryEntryError

AGE_MS_MIN = 1_000
AGE_MS_MAX = 24 * 60 * 60 * 1000
# An accepted intent expires within 24 h, so its record always outlives it.
REMEMBER_MS_MIN = EXPIRY_MS_MAX
REMEMBER_MS_MAX = 30 * EXPIRY_MS_MAX
_TIERS: dict[str, Tier] = {tier: tier for tier in get_args(Tier)}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of an organisation, with the defaults of a new one.

    ``remember_ms`` is how long an idempotency key is remembered after the decision.
    """

    require_explicit: bool = True
    simulation_always: bool = False
    simulation_age_ms_max: int = 60_000
    tier: Tier | None = None
    remember_ms: int = REMEMBER_MS_MIN


def checked_setting(settings: Settings, name: str, value: object) -> Settings:
    """Return the settings with one changed; raise ``RegistryEntryError`` for another value."""
    match name, value:
        case "policies.require_explicit", bool():
            return replace(settings, require_explicit=value)
        case "simulation.required", "requested" | "always":
            return replace(settings, simulation_always=value == "always")
        case "simulation.age_ms_max", int() if AGE_MS_MIN <= value <= AGE_MS_MAX:
            return replace(settings, simulation_age_ms_max=value)
        case "idempotency.remember_ms", int() if REMEMBER_MS_MIN <= value <= REMEMBER_MS_MAX:
            return replace(settings, remember_ms=value)
        case "org.tier", str() if value in _TIERS:
            return replace(settings, tier=_TIERS[value])
    raise RegistryEntryError(f"the setting {name} cannot be {value!r}")
