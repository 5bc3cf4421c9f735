"""Which URLs and addresses server-side requests may reach: the attacks by name."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from sixgate.webhooks.address_rules import refused_kind
from sixgate.webhooks.destinations import (
    DestinationRules,
    checked_addresses,
    parse_destination,
)
from sixgate.webhooks.errors import DestinationError

STRICT = DestinationRules()
LOOPBACK = DestinationRules((ip_network("127.0.0.0/8"),))
PUBLIC = "93.184.215.14"
PUBLIC_V6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"

FORBIDDEN_ADDRESSES = {
    "127.0.0.1": "loopback",
    "127.1.2.3": "loopback",
    "0.0.0.0": "unspecified",  # noqa: S104 - refused
    "10.0.0.1": "private",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.168.1.1": "private",
    "100.64.0.1": "carrier-private",
    "169.254.169.254": "link-local",
    "224.0.0.1": "multicast",
    "255.255.255.255": "broadcast",
    "240.0.0.1": "reserved",
    "192.0.0.8": "reserved",
    "192.0.2.1": "documentation",
    "198.18.0.1": "benchmarking",
    "::": "unspecified",
    "::1": "loopback",
    "::ffff:10.0.0.1": "IPv4-mapped",
    "::ffff:127.0.0.1": "IPv4-mapped",
    "::ffff:93.184.215.14": "IPv4-mapped",
    "::127.0.0.1": "IPv4-compatible",
    "64:ff9b::a00:1": "NAT64",
    "64:ff9b:1::a00:1": "NAT64",
    "2002:a00:1::": "6to4",
    "2001:0:a00:1::": "Teredo",
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "private",
    "fd00:ec2::254": "private",
    "ff02::1": "multicast",
    "2001:db8::1": "documentation",
    "5f00::1": "reserved",
    "4000::1": "reserved",
}

FORBIDDEN_URLS = {
    "loopback": "https://127.0.0.1/",
    "metadata service": "https://169.254.169.254/latest/meta-data/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 loopback, long": "https://[0:0:0:0:0:0:0:1]:8443/",
    "IPv4-mapped": "https://[::ffff:10.0.0.1]/",
    "IPv4-mapped, hex": "https://[::ffff:7f00:1]/",
    "NAT64": "https://[64:ff9b::10.0.0.1]/",
    "IPv6 zone": "https://[fe80::1%25eth0]/",
    "IPv6 future": "https://[v1.fe80]/",
    "hex": "https://0x7f000001/",
    "hex parts": "https://0x7f.0.0.1/",
    "last part hex": "https://127.0.0.0x1/",
    "decimal": "https://2130706433/",
    "octal": "https://0177.0.0.1/",
    "short": "https://127.1/",
    "zero": "https://0/",
    "five parts": "https://1.2.3.4.5/",
    "trailing dot": "https://127.0.0.1./",
    "localhost": "https://localhost/",
    "localhost, upper case": "https://LocalHost/",
    "below localhost": "https://anything.localhost/",
    "user name": "https://user@example.com/",
    "user name and password": "https://user:secret@example.com/",
    "host as user name": "https://example.com@127.0.0.1/",
    "host and port as userinfo": "https://example.com:443@127.0.0.1/",
    "backslash before userinfo": "https://example.com\\@127.0.0.1/",
    "fragment before userinfo": "https://example.com#@127.0.0.1/",
    "encoded host": "https://127%2e0%2e0%2e1/",
    "fullwidth digits": "https://\uff11\uff12\uff17.0.0.1/",
    "circled digits": "https://\u2460\u2461\u2466.0.0.1/",
    "dot of another script": "https://127\u30020\u30020\u30021/",
    "line break in path": "https://example.com/\r\nX-Injected: 1",
    "line feed in host": "https://exam\nple.com/",
    "line feed at the end": "https://example.com/\n",
    "tab": "https://exa\tmple.com/",
    "null": "https://example.com/\x00",
    "blank": "https://example.com/a b",
    "broken percent": "https://example.com/%zz",
    "plain HTTP": "http://example.com/",
    "file": "file:///etc/passwd",
    "gopher": "gopher://example.com/",
    "no scheme": "//example.com/",
    "scheme only": "https://",
    "no host": "https:///path",
    "one slash": "https:/example.com/",
    "empty": "",
    "empty label": "https://example..com/",
    "underscore": "https://a_b.example.com/",
    "hyphen first": "https://-a.example.com/",
    "label too long": f"https://{'a' * 64}.example.com/",
    "name too long": f"https://{'a.' * 127}com/",
    "port zero": "https://example.com:0/",
    "port too high": "https://example.com:65536/",
    "port missing": "https://example.com:/",
    "port negative": "https://example.com:-1/",
    "too long": f"https://example.com/{'a' * 2048}",
}


@pytest.mark.parametrize("url", FORBIDDEN_URLS.values(), ids=FORBIDDEN_URLS.keys())
def test_a_forbidden_url_is_refused_without_resolving_or_repeating_it(url: str) -> None:
    with pytest.raises(DestinationError) as refusal:
        parse_destination(url, STRICT)
    assert len(url) < 10 or url not in str(refusal.value)
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize(
    ("url", "host", "port", "target", "authority"),
    [
        ("https://example.com", "example.com", 443, "/", "example.com"),
        ("https://EXAMPLE.com/Hook", "example.com", 443, "/Hook", "example.com"),
        ("HTTPS://example.com?a=/@b", "example.com", 443, "/?a=/@b", "example.com"),
        ("https://xn--bcher-kva.example:8443/a%20b;c", "xn--bcher-kva.example", 8443, "/a%20b;c",
         "xn--bcher-kva.example:8443"),
        (f"https://{PUBLIC}/", PUBLIC, 443, "/", PUBLIC),
        (f"https://[{PUBLIC_V6}]:444/x", PUBLIC_V6, 444, "/x", f"[{PUBLIC_V6}]:444"),
        ("https://1password.4chan.org/@u", "1password.4chan.org", 443, "/@u",
         "1password.4chan.org"),
    ],
)  # fmt: skip
def test_a_public_url_is_parsed(
    url: str, host: str, port: int, target: str, authority: str
) -> None:
    found = parse_destination(url, STRICT)
    assert (found.host, found.port, found.target) == (host, port, target)
    assert found.authority == authority


@pytest.mark.parametrize(("text", "kind"), FORBIDDEN_ADDRESSES.items())
def test_a_name_that_resolves_to_a_forbidden_address_is_refused(text: str, kind: str) -> None:
    destination = parse_destination("https://rebound.example/", STRICT)
    with pytest.raises(DestinationError, match=kind):
        checked_addresses(destination, lambda _host, _port: [text], STRICT)


def test_of_mixed_answers_only_the_allowed_addresses_are_returned() -> None:
    destination = parse_destination("https://mixed.example/", STRICT)
    answers = ["10.0.0.1", PUBLIC, "::1", PUBLIC_V6, PUBLIC]
    found = checked_addresses(destination, lambda _host, _port: answers, STRICT)
    assert found == (ip_address(PUBLIC), ip_address(PUBLIC_V6))


def test_an_unresolved_name_is_an_error_and_literals_are_never_resolved() -> None:
    def fail(_host: str, _port: int) -> list[str]:
        raise OSError

    destination = parse_destination("https://unknown.example/", STRICT)
    with pytest.raises(DestinationError, match="cannot be resolved"):
        checked_addresses(destination, fail, STRICT)
    with pytest.raises(DestinationError, match="cannot be resolved"):
        checked_addresses(destination, lambda _host, _port: [], STRICT)
    literal = parse_destination(f"https://{PUBLIC}/", STRICT)
    assert checked_addresses(literal, fail, STRICT) == (ip_address(PUBLIC),)


def test_an_allowed_network_opens_only_itself_also_by_plain_http() -> None:
    for url in ("http://127.0.0.1:8080/", "https://127.9.9.9/", "http://localhost/"):
        parse_destination(url, LOOPBACK)
    for url in ("https://10.0.0.1/", "https://[::1]/", "https://[::ffff:127.0.0.1]/"):
        with pytest.raises(DestinationError, match="not in an allowed network"):
            parse_destination(url, LOOPBACK)


def test_plain_http_reaches_no_public_address_even_with_allowed_networks() -> None:
    with pytest.raises(DestinationError, match="use https"):
        parse_destination(f"http://{PUBLIC}/", LOOPBACK)
    destination = parse_destination("http://inside.example/", LOOPBACK)
    with pytest.raises(DestinationError, match="use https"):
        checked_addresses(destination, lambda _host, _port: [PUBLIC], LOOPBACK)
    mixed = [PUBLIC, "127.0.0.1"]
    found = checked_addresses(destination, lambda _host, _port: mixed, LOOPBACK)
    assert found == (ip_address("127.0.0.1"),)


@given(st.ip_addresses())
def test_what_python_knows_as_not_global_is_refused(address: IPv4Address | IPv6Address) -> None:
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert refused_kind(address, ()) is not None


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_has_one_accepted_spelling(address: IPv4Address) -> None:
    number, parts = int(address), address.packed
    spellings = (
        str(number),
        hex(number),
        ".".join(map(hex, parts)),
        ".".join(f"0{part:o}" for part in parts),
        f"{parts[0]}.{number & 0xFFFFFF}",
        f"{parts[0]}.{parts[1]}.{number & 0xFFFF}",
        f"{address}.",
    )
    for spelling in spellings:
        with pytest.raises(DestinationError):
            parse_destination(f"https://{spelling}/", DestinationRules((ip_network("0.0.0.0/0"),)))


URLS = st.builds(
    "".join,
    st.lists(
        st.sampled_from(
            ["https://", "http:", "//", "/", "@", ":", "443", "[", "]", "::1", "127.0.0.1", "?",
             "#", "\\", "a.example", "b.example", "%", "%40", ".", "0x7f", "\n", " ", "\t", "-",
             "localhost"]
        ),
        max_size=8,
    ),
)  # fmt: skip


@given(st.just("https://").flatmap(lambda prefix: URLS.map(lambda rest: prefix + rest)) | URLS)
def test_other_parsers_see_the_same_host_and_port_in_every_accepted_url(url: str) -> None:
    try:
        found = parse_destination(url, DestinationRules((ip_network("127.0.0.0/8"),)))
    except DestinationError:
        return
    standard, other = urlsplit(url), parse_url(url)
    default = {"http": 80, "https": 443}[found.scheme]
    assert standard.hostname == found.host
    assert (other.host or "").strip("[]") == found.host
    assert (standard.port or default, other.port or default) == (found.port, found.port)
    assert standard.username is None
    assert other.auth is None
