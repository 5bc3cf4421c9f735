"""Client addresses: which peers may name another address in ``X-Forwarded-For``."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from sixgate.config.limits import Network

LOCAL_SOCKET, UNKNOWN = "local socket", "unknown"
SCOPE_MEMBER = "sixgate.client_ip"
"""Where the server puts the address into a request's scope."""
_IPV6_SITE_BITS = 64
ADDRESSES_MAX = 4_096
"""Parsed addresses that are kept; parsing one takes a twentieth of a read."""


def client_ip(scope: Mapping[str, Any], trusted_proxies: Sequence[Network]) -> str:
    """Return the address of a request's client, ``LOCAL_SOCKET`` or ``UNKNOWN``.

    ``X-Forwarded-For`` counts only if the peer is in a trusted network. It is read from the right,
    because each proxy appends the address of its own peer: the first address that is no trusted
    proxy is the client. Everything left of it may be forged.
    """
    client = scope.get("client")
    if client is None:
        # A TCP client that resets its connection early has no address either.
        server = scope.get("server")
        return LOCAL_SOCKET if server and server[1] is None else UNKNOWN
    peer = _address(str(client[0]))
    if peer is None:
        return str(client[0])
    if not _is_trusted(peer, trusted_proxies):
        return str(peer)
    for hop in _forwarded_from_right(scope["headers"]):
        address = _address(hop)
        if address is None:
            break
        peer = address
        if not _is_trusted(peer, trusted_proxies):
            break
    return str(peer)


def rate_key(ip: str) -> str:
    """Return the key of a client's rate limit: one IPv6 client has 2^64 addresses."""
    if ":" not in ip:
        return ip
    return str(ip_network((ip, _IPV6_SITE_BITS), strict=False))


def _is_trusted(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _forwarded_from_right(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[str]:
    lists = [value.decode("latin-1") for name, value in headers if name == b"x-forwarded-for"]
    return (hop.strip() for hop in reversed(",".join(lists).split(",")))


@lru_cache(ADDRESSES_MAX)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, with a port or in brackets as some proxies write it."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
