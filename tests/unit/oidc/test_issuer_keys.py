"""A slow issuer keeps nobody waiting but the one request that reads its keys."""

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from sixgate.oidc.errors import IssuerUnavailableError
from sixgate.oidc.issuer_keys import REREAD_S, IssuerKeys
from tests.harness.builders.waiting import until

ISSUER = "https://issuer.test"
MODULUS = base64.urlsafe_b64encode(b"\xff" * 256).rstrip(b"=").decode()
KEYS = {"kty": "RSA", "kid": "first", "alg": "RS256", "use": "sig", "n": MODULUS, "e": "AQAB"}
DOCUMENTS = {
    f"{ISSUER}/.well-known/openid-configuration": {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"},
    f"{ISSUER}/keys": {"keys": [KEYS]},
}


class SlowIssuer:
    """Answers when ``released`` is set; ``asked`` counts the requests."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.asked = 0

    def __call__(self, url: str) -> bytes:
        self.asked += 1
        self.released.wait()
        return json.dumps(DOCUMENTS[url]).encode()


def during_a_read(issuer: SlowIssuer, keys: IssuerKeys, kid: str, then: Callable[[], None]) -> None:
    """Call ``then`` while another thread waits for the issuer to find a key."""
    asked = issuer.asked
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(keys.find, kid)
        try:
            until(lambda: issuer.asked > asked)
            then()
        finally:
            issuer.released.set()
        reading.result()


def test_requests_during_the_first_read_are_refused_at_once() -> None:
    """Anyone may send a token: waiting for the issuer, they would take every thread."""
    issuer = SlowIssuer()
    keys = IssuerKeys(ISSUER, issuer, lambda: 0.0)

    def refused() -> None:
        for kid in ("first", "unknown"):
            with pytest.raises(IssuerUnavailableError, match="being read") as error:
                keys.find(kid)
            assert error.value.retry_after_s == 1

    during_a_read(issuer, keys, "first", refused)
    assert keys.find("first") is not None


def test_a_known_key_is_found_while_an_unknown_one_is_looked_for() -> None:
    issuer, now_s = SlowIssuer(), 0.0
    keys = IssuerKeys(ISSUER, issuer, lambda: now_s)
    issuer.released.set()
    assert keys.find("unknown") is None
    issuer.released.clear()
    now_s = REREAD_S

    def found() -> None:
        assert keys.find("first") is not None

    during_a_read(issuer, keys, "unknown", found)
