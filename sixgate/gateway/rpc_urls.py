"""RPC URLs that people may register: public ones, and no credentials. Pure.

Every reader of the registry sees the URL, and its record is permanent.
"""

import re
from ipaddress import ip_network
from urllib.parse import unquote

from sixgate.webhooks.address_rules import refused_kind
from sixgate.webhooks.destinations import Destination, DestinationRules, parse_destination
from sixgate.webhooks.errors import DestinationError

CREDENTIAL_CHARACTERS_MIN = 16
"""Letters and digits of a path segment that may be an API key of the node's provider."""
_ANY_ADDRESS = DestinationRules((ip_network("0.0.0.0/0"), ip_network("::/0")))
_PRIVATE = {"loopback", "private", "carrier-private"}


def rpc_url_problem(url: str, *, private_urls: bool) -> str | None:
    """Return why people may not register an RPC URL, or None; names are not resolved."""
    if what := _credential(url):
        return (
            f"has {what}, which every reader of the registry would see permanently: use a URL "
            "without it; a full admin may register any with sixgate chains add"
        )
    try:
        destination = parse_destination(url, _ANY_ADDRESS)
    except DestinationError as error:
        return f"must be an http or https URL: {error}"
    kind = _kind(destination)
    if kind is None or (kind in _PRIVATE and private_urls):
        return None
    if kind in _PRIVATE:
        return f"has a {kind} address: the setting [chains] private_urls = true allows it"
    return f"has a {kind} address, where no node may be"


def _credential(url: str) -> str | None:
    """Return what in a URL may be a credential, or None."""
    _, _, rest = url.partition("://")
    if "@" in re.split(r"[/?#]", rest, maxsplit=1)[0]:
        return "a user name or a password"
    if "?" in rest:
        return "a query"
    for part in unquote(rest.partition("/")[2]).split("/"):
        if sum(character.isalnum() for character in part) >= CREDENTIAL_CHARACTERS_MIN:
            return f"a path segment of {CREDENTIAL_CHARACTERS_MIN} or more letters and digits"
    return None


def _kind(destination: Destination) -> str | None:
    """Return the kind of an address that is not public, or None for public ones and names."""
    if destination.host.rpartition(".")[2] == "localhost":
        return "loopback"
    return refused_kind(destination.literal, ()) if destination.literal else None
