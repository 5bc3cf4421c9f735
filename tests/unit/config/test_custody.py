"""Settings of custody and its clients: beyond loopback only with mutual TLS."""

from typing import Any

import pytest
from pydantic import ValidationError

from sixgate.config.internal_servers import CustodyAddress, CustodySettings

ANYWHERE = "0.0.0.0"  # noqa: S104 - with TLS, or refused
TLS = {"ca": "ca.pem", "certificate": "own.pem", "key": "own.pem"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"host": ANYWHERE, "tls": TLS},
        {"host": "localhost"},
        {"clients": ["a", "b"]},
        {"host": ANYWHERE, "insecure_dev": True},
    ],
)
def test_custody_may_listen(fields: dict[str, Any]) -> None:
    assert CustodySettings(**fields)


@pytest.mark.parametrize(
    "fields",
    [{"host": ANYWHERE}, {"host": "10.0.0.1"}, {"clients": []}, {"port": 0}, {"password": "x"}],
)
def test_custody_may_not_listen(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CustodySettings(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "http://10.0.0.1:9450"},
        {"url": "https://custody:9450"},
        {"url": "http://127.0.0.1:9450", "tls": TLS},
        {"url": "https://custody:9450/path", "tls": TLS},
        {"url": "ftp://127.0.0.1"},
        {"url": "custody:9450"},
    ],
)
def test_an_unprotected_address_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CustodyAddress(**fields)


def test_custody_is_reached_over_tls_or_on_loopback() -> None:
    assert CustodyAddress(url="https://custody:9450", tls=TLS).tls
    assert CustodyAddress(url="http://127.0.0.1:9450")
