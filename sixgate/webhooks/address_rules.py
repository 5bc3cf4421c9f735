"""Which IP addresses a server-side request may reach: public ones, and allowed networks.

The tables are ours and not Python's ``is_global``, whose answer depends on the Python version.
Source: the special-purpose address registries of IANA (RFC 6890 and its updates).
"""

from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_network,
)
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# The first matching row names the kind of an address; a narrow network precedes a wide one.
_NOT_PUBLIC: tuple[tuple[str, Network], ...] = tuple(
    (kind, ip_network(network))
    for kind, networks in (
        ("unspecified", ("0.0.0.0/8", "::/128")),
        ("loopback", ("127.0.0.0/8", "::1/128")),
        ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
        ("carrier-private", ("100.64.0.0/10",)),
        ("link-local", ("169.254.0.0/16", "fe80::/10")),
        ("multicast", ("224.0.0.0/4", "ff00::/8")),
        ("broadcast", ("255.255.255.255/32",)),
        ("IPv4-mapped", ("::ffff:0:0/96",)),
        ("IPv4-compatible", ("::/96",)),
        ("NAT64", ("64:ff9b::/96", "64:ff9b:1::/48")),
        ("Teredo", ("2001::/32",)),
        ("6to4", ("2002::/16", "192.88.99.0/24")),
        (
            "documentation",
            (
                "192.0.2.0/24",
                "198.51.100.0/24",
                "203.0.113.0/24",
                "2001:db8::/32",
                "3fff::/20",
            ),
        ),
        ("benchmarking", ("198.18.0.0/15", "2001:2::/48")),
        ("reserved", ("192.0.0.0/24", "240.0.0.0/4", "2001::/23")),
    )
    for network in networks
)
# All public IPv6 addresses so far are in this block; everything outside it is reserved.
_PUBLIC_V6 = IPv6Network("2000::/3")


def refused_kind(address: Address, allowed: Iterable[Network]) -> str | None:
    """Return the kind of an address that must not be reached, such as ``loopback``, else None."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "link-local"
    if in_networks(address, allowed):
        return None
    for kind, network in _NOT_PUBLIC:
        if address in network:
            return kind
    if isinstance(address, IPv6Address) and address not in _PUBLIC_V6:
        return "reserved"
    return None


def in_networks(address: Address, networks: Iterable[Network]) -> bool:
    """Return whether an address is in one of the networks; IPv4-mapped is not IPv4."""
    return any(address in network for network in networks)
