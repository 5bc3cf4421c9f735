"""Base class of all sections of the settings."""

from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """An immutable section; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def loopback(host: str) -> bool:
    """Return whether a host name or address is loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
