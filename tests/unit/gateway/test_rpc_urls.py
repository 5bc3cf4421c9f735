"""RPC URLs that people may register: no credentials, and no addresses inside."""

import pytest

from sixgate.gateway.rpc_urls import rpc_url_problem

KEY = "0123456789abcdef"


@pytest.mark.parametrize("private_urls", [False, True])
@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://user@rpc.example", "user name"), ("https://:x@rpc.example/", "password"),
        ("http://127.0.0.1@rpc.example/", "user name"), ("https://rpc.example/?k", "query"),
        ("https://rpc.example?apikey=1", "query"), (f"https://rpc.example/v3/{KEY}", "segment"),
        (f"https://rpc.example/{KEY}/", "segment"), ("https://rpc.example/" + "b_" * 16, "segment"),
        ("https://rpc.example/" + "".join(f"%{ord(one):02x}" for one in KEY), "segment"),
        ("http://169.254.169.254/", "link-local"), ("http://169.254.0.1:80", "link-local"),
        ("http://[fe80::1]/", "link-local"), ("http://[::ffff:169.254.169.254]/", "IPv4-mapped"),
        ("http://[64:ff9b::a9fe:a9fe]/", "NAT64"), ("http://0.0.0.0/", "unspecified"),
        ("http://2852039166/", "http or https"), ("http://0xa9fea9fe/", "http or https"),
        ("http://0251.0376.0251.0376/", "http or https"), ("ftp://rpc.example", "http or https"),
        ("file:///etc/passwd", "http or https"), ("https://", "http or https"), ("", "http or"),
        ("https://rpc.example/#part", "http or https"), ("https://a b", "http or https"),
        ("https://rpc.example\\@169.254.169.254/", "user name"),
    ],
)  # fmt: skip
def test_such_a_url_is_never_registered(url: str, why: str, *, private_urls: bool) -> None:
    problem = rpc_url_problem(url, private_urls=private_urls)
    assert problem
    assert why in problem
    assert KEY not in problem


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8545", "http://127.9.9.9", "http://[::1]:8545", "http://localhost:8545",
        "http://node.localhost", "https://10.1.2.3", "http://172.16.0.1", "http://192.168.1.1:8545",
        "http://[fd00::1]", "http://100.64.0.1",
    ],
)  # fmt: skip
def test_a_private_url_needs_the_setting(url: str) -> None:
    problem = rpc_url_problem(url, private_urls=False)
    assert problem
    assert "[chains] private_urls" in problem
    assert rpc_url_problem(url, private_urls=True) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://rpc.example", "https://rpc.example/", "http://rpc.example:8545/ext/bc/C/rpc",
        "https://8.8.8.8", "https://[2606:4700::1111]:8545", "https://rpc.example/fifteen-letters",
    ],
)  # fmt: skip
def test_a_public_url_without_a_credential_is_registered(url: str) -> None:
    assert rpc_url_problem(url, private_urls=False) is None
