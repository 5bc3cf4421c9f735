"""Client addresses: a header counts only behind a named proxy, and only from its right end."""

from ipaddress import ip_network
from typing import Any

import pytest

from sixgate.api.client_address import LOCAL_SOCKET, UNKNOWN, client_ip, rate_key

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


def scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    return {
        "client": (peer, 1_000) if peer else None,
        "server": ("127.0.0.1", 443),
        "headers": [(b"x-forwarded-for", value.encode()) for value in forwarded],
    }


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        # The peer is no proxy: whatever it writes.
        ("8.8.8.8", [], "8.8.8.8"),
        ("8.8.8.8", ["1.1.1.1"], "8.8.8.8"),
        ("127.0.0.1", ["1.1.1.1"], "127.0.0.1"),
        ("fe80::1%eth0", ["1.1.1.1"], "fe80::1"),
        # A proxy: the last address that is no proxy.
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6", "1.1.1.1"], "1.1.1.1"),
        ("10.0.0.1", ["6.6.6.6, 1.1.1.1, 10.0.0.2"], "1.1.1.1"),
        ("10.0.0.1", ["1.1.1.1", "10.0.0.2"], "1.1.1.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("fd00::1", ["2001:db8::1"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:1.1.1.1"], "1.1.1.1"),
        # Forms that proxies write.
        ("10.0.0.1", ["1.1.1.1:5000"], "1.1.1.1"),
        ("10.0.0.1", ["[2001:db8::1]:5000"], "2001:db8::1"),
        ("10.0.0.1", ["[2001:db8::1]"], "2001:db8::1"),
        # What is no address ends the search at the last proxy.
        ("10.0.0.1", ["1.1.1.1, unknown"], "10.0.0.1"),
        ("10.0.0.1", ["1.1.1.1, , 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("10.0.0.1", ["' OR 1=1 --"], "10.0.0.1"),
        ("10.0.0.1", ["local socket"], "10.0.0.1"),
    ],
)
def test_a_header_counts_only_from_a_named_proxy(
    peer: str, forwarded: list[str], client: str
) -> None:
    assert client_ip(scope(peer, *forwarded), PROXIES) == client


def test_a_unix_socket_has_no_address_and_trusts_no_header() -> None:
    asked = scope(None, "1.1.1.1") | {"server": ("/data/api.sock", None)}
    assert client_ip(asked, (ip_network("0.0.0.0/0"),)) == LOCAL_SOCKET


def test_a_tcp_client_without_an_address_is_not_taken_for_a_local_one() -> None:
    assert client_ip(scope(None), PROXIES) == UNKNOWN


def test_the_rate_of_an_ipv6_client_counts_for_its_network() -> None:
    assert rate_key("2001:db8::1") == rate_key("2001:db8::ffff:1") != rate_key("2001:db8:1::1")
    assert rate_key("1.1.1.1") == "1.1.1.1"
    assert rate_key(UNKNOWN) == UNKNOWN
