"""A local OpenID Connect issuer over TLS: discovery document, keys and ID tokens made by PyJWT."""

import base64
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from sixgate.oidc.fetching import HttpsFetch, issuer_tls
from sixgate.oidc.issuer_keys import IssuerKeys
from sixgate.oidc.login import OidcLogin
from sixgate.oidc.settings import OidcSettings
from tools.local.certificates import Authority

CLIENT_ID = "sixgate-console"
DISCOVERY = "/.well-known/openid-configuration"
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class IdentityProvider:
    """An issuer at ``issuer`` whose certificate only ``authority`` vouches for.

    ``documents`` are what it answers by path; ``asked`` are the paths that it was asked for.
    """

    def __init__(self, folder: Path) -> None:
        certificates = Authority(folder)
        self.authority = certificates.file
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.issue("issuer"))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.issuer = f"https://127.0.0.1:{self._server.server_port}/realms/acme"
        self.asked: list[str] = []
        self.documents: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.keys: dict[str, PrivateKey] = {}
        self.rotate("first")
        self.describe()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def describe(self, **changes: Any) -> None:
        """Publish the discovery document with changed members."""
        document = {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"} | changes
        self.documents["/realms/acme" + DISCOVERY] = json.dumps(document).encode()

    def rotate(self, kid: str, key: PrivateKey | None = None) -> None:
        """Replace all keys with one [default: a new RSA key]."""
        self.keys = {kid: key or rsa.generate_private_key(public_exponent=65_537, key_size=2048)}
        self.publish()

    def publish(self, *more: dict[str, Any]) -> None:
        """Publish the public keys, and more members of the key set."""
        members = [public_jwk(key) | {"kid": kid} for kid, key in self.keys.items()]
        self.documents["/realms/acme/keys"] = json.dumps({"keys": [*members, *more]}).encode()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a valid ID token of the subject ``alice-1``."""
        now_s = int(time.time())
        return {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": "alice-1",
            "iat": now_s,
            "exp": now_s + 300,
            "jti": secrets.token_hex(8),  # two tokens of one second differ
        } | changes

    def token(self, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """Return an ID token with changed claims and header, without those that are None."""
        kid, key = list(self.keys.items())[-1]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        claims = {k: v for k, v in self.claims(**changes).items() if v is not None}
        headers = {k: v for k, v in ({"kid": kid} | (header or {})).items() if v is not None}
        return jwt.encode(claims, key, algorithm, headers=headers)

    def login(self, now_s: Callable[[], float] = time.monotonic, **settings: Any) -> OidcLogin:
        """Return a login with this issuer; ``now_s`` is the clock of its cache of keys."""
        fetch = HttpsFetch(issuer_tls(self.authority))
        rules = OidcSettings(issuer=self.issuer, client_id=CLIENT_ID, **settings)
        return OidcLogin(rules, IssuerKeys(self.issuer, fetch, now_s))

    def stop(self) -> None:
        """Stop answering; the port refuses connections."""
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.asked.append(self.path)
                body = provider.documents.get(self.path)
                if (elsewhere := provider.redirects.get(self.path)) is not None:
                    self.send_response(302)
                    self.send_header("Location", elsewhere)
                else:
                    self.send_response(200 if body is not None else 404)
                self.send_header("Content-Length", str(len(body or b"")))
                self.end_headers()
                self.wfile.write(body or b"")

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        return Handler


def public_jwk(key: PrivateKey) -> dict[str, Any]:
    """Return the public part of a key as a JSON Web Key."""
    if isinstance(key, rsa.RSAPrivateKey):
        return RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"use": "sig", "alg": "RS256"}
    return ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"use": "sig", "alg": "ES256"}


def unsigned(claims: dict[str, Any], kid: str) -> str:
    """Return a token with the algorithm ``none``."""
    parts = ({"alg": "none", "kid": kid}, claims)
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    return b".".join((*encoded, b"")).decode()


@contextmanager
def identity_provider(folder: Path) -> Iterator[IdentityProvider]:
    """Lend a running issuer."""
    provider = IdentityProvider(folder)
    try:
        yield provider
    finally:
        provider.stop()
