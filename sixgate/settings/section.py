"""What every section of the settings is."""

from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A section: read once, with nothing in it that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name or address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
