"""Destinations of server-side requests: which URLs are allowed, and which addresses of their host.

Webhooks and RPC URLs use it against server-side request forgery (SSRF). It does no I/O: the
resolver is an argument. A caller resolves once per request and connects to exactly the returned
addresses, so that a name cannot change between check and connect (DNS rebinding).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TypeAlias

from sixgate.webhooks.address_rules import Address, Network, in_networks, refused_kind
from sixgate.webhooks.errors import DestinationError

URL_LENGTH_MAX = 2_048
HOST_LENGTH_MAX = 253
PORT_MAX = 65_535
ADDRESSES_MAX = 8
_PORTS = {"http": 80, "https": 443}
# The whole grammar that is accepted: RFC 3986 without userinfo and fragment. One expression decides
# instead of a lenient parser, because two parsers that disagree on the host are an attack.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<path>/(?:[a-z0-9._~!$&'()*+,;=:@/-]|%[0-9a-f]{2})*)?"
    r"(?P<query>\?(?:[a-z0-9._~!$&'()*+,;=:@/?-]|%[0-9a-f]{2})*)?",
    re.ASCII | re.IGNORECASE,
)
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
# Other programs read a host whose last label is such a number as IPv4: 2130706433, 0x7f.1, 0177.1.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

Resolve: TypeAlias = Callable[[str, int], Sequence[str]]
"""Returns the addresses of a name and port as text; raises ``OSError`` if it cannot."""


@dataclass(frozen=True, slots=True)
class DestinationRules:
    """Networks that may be reached although they are not public.

    An address in them may also be reached by plain HTTP; all others need HTTPS.
    """

    allowed_networks: tuple[Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """A parsed URL. ``host`` is a name in lower case or an address without brackets."""

    scheme: str
    host: str
    port: int
    target: str
    literal: Address | None = None

    @property
    def authority(self) -> str:
        """Return the ``Host`` header."""
        host = f"[{self.host}]" if isinstance(self.literal, IPv6Address) else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse_destination(url: str, rules: DestinationRules) -> Destination:
    """Parse a URL strictly; raise ``DestinationError`` unless requests to it may be allowed.

    Names are not resolved here, except ``localhost``, whose addresses are fixed (RFC 6761).
    """
    _require_characters(url)
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in _PORTS:
        raise DestinationError("the URL must begin with https://")
    if "@" in re.split(r"[/?]", rest, maxsplit=1)[0]:
        raise DestinationError("the URL must not contain a user name or password")
    found = _URL.fullmatch(url)
    if found is None:
        raise DestinationError(
            "the URL is malformed: write https://host[:port]/path, "
            "and percent-encode all other characters"
        )
    scheme = found["scheme"].lower()
    host, literal = _host(found["host"].lower())
    port = int(found["port"]) if found["port"] else _PORTS[scheme]
    if not 1 <= port <= PORT_MAX:
        raise DestinationError(f"the URL's port must be 1 to {PORT_MAX}")
    target = (found["path"] or "/") + (found["query"] or "")
    destination = Destination(scheme, host, port, target, literal)
    _require_possible(destination, rules)
    return destination


def checked_addresses(
    destination: Destination, resolve: Resolve, rules: DestinationRules
) -> tuple[Address, ...]:
    """Resolve a host once, and return the addresses that a request may connect to.

    Raises ``DestinationError`` if no address is allowed or the name cannot be resolved.
    """
    found = _addresses(destination, resolve)
    allowed = tuple(address for address in found if _refusal(destination, address, rules) is None)
    if not allowed:
        raise DestinationError(_refusal(destination, found[0], rules) or "no address")
    return allowed[:ADDRESSES_MAX]


def _require_characters(url: str) -> None:
    if len(url) > URL_LENGTH_MAX:
        raise DestinationError(f"the URL has more than {URL_LENGTH_MAX} characters")
    # Control characters would split a header or the request line.
    if not _PRINTABLE.fullmatch(url):
        raise DestinationError(
            "the URL must not contain spaces, control characters or characters outside ASCII"
        )
    if "\\" in url or "#" in url:
        raise DestinationError("the URL must not contain a backslash or a fragment")


def _host(text: str) -> tuple[str, Address | None]:
    """Return a host, and its address if it is one."""
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except ValueError:
            raise DestinationError("the URL's host is no IPv6 address") from None
        return str(address), address
    labels = text.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return text, IPv4Address(text)
        except ValueError:
            raise DestinationError(
                "the URL's host is a number: write an IPv4 address as four decimal numbers"
            ) from None
    if len(text) > HOST_LENGTH_MAX or not all(map(_LABEL.fullmatch, labels)):
        raise DestinationError("the URL's host is not a valid domain name")
    return text, None


def _require_possible(destination: Destination, rules: DestinationRules) -> None:
    """Refuse what no resolver can make allowed: an address, localhost, HTTP to public addresses."""
    if destination.scheme == "http" and not rules.allowed_networks:
        raise DestinationError("the URL must begin with https://")
    if destination.literal is not None or destination.host.rpartition(".")[2] == "localhost":
        checked_addresses(destination, lambda _host, _port: ("127.0.0.1", "::1"), rules)


def _addresses(destination: Destination, resolve: Resolve) -> tuple[Address, ...]:
    if destination.literal is not None:
        return (destination.literal,)
    try:
        texts = resolve(destination.host, destination.port)
    except OSError:
        texts = ()
    found = tuple(dict.fromkeys(map(ip_address, texts)))
    if not found:
        raise DestinationError(f"the name {destination.host} cannot be resolved")
    return found


def _refusal(destination: Destination, address: Address, rules: DestinationRules) -> str | None:
    """Return why a request must not connect to an address, or None if it may."""
    what = str(address)
    if destination.literal is None:
        what = f"{destination.host} resolves to {address}, which"
    if kind := refused_kind(address, rules.allowed_networks):
        return f"{what} is a {kind} address and not in an allowed network"
    if destination.scheme == "http" and not in_networks(address, rules.allowed_networks):
        return f"{what} is a public address: use https://"
    return None
