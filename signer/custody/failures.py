"""What is told of a provider that did not do its part: facts for an audit record, no prose."""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Why a provider gave no share that could be used."""

    UNAVAILABLE = "unavailable"
    DENIED = "denied"
    KEY_DISABLED = "key_disabled"
    KEY_NOT_FOUND = "key_not_found"
    KEY_WEAK = "key_weak"  # no HSM guards it, and the settings demand one
    CORRUPT = "corrupt"  # it says so itself, or what it gave is no share
    LIED = "lied"  # it gave a share, and the others prove it wrong
    NOT_CONFIGURED = "not_configured"
    FAULT = "fault"  # its adapter raised what it promised not to


@dataclass(frozen=True, slots=True)
class ProviderFailure:
    """A provider, by its name, and why it failed."""

    provider: str
    cause: Cause
