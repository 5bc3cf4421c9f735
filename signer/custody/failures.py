"""Failures of providers, as codes for audit records."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why a provider returned no usable share."""

    UNAVAILABLE = "unavailable"
    DENIED = "denied"
    KEY_DISABLED = "key_disabled"
    KEY_NOT_FOUND = "key_not_found"
    KEY_WEAK = "key_weak"  # not in an HSM, although the settings require one
    CORRUPT = "corrupt"  # the provider says so, or its answer is not a share
    LIED = "lied"  # it returned a share that the other shares prove wrong
    NOT_CONFIGURED = "not_configured"
    FAULT = "fault"  # its adapter broke its contract and raised another exception


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    """A provider's name, and why it failed."""

    provider: str
    cause: Cause
