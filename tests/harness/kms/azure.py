"""A stand-in for Azure Key Vault, over HTTPS with its own certificate authority.

It has the 401 challenge, real RSA keys with RSA-OAEP-256, disabled and deleted keys, and Azure's
error bodies. It accepts one bearer token.
"""

import base64
import json
import secrets
import ssl
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.hashes import SHA256

from tests.harness.kms.faults import Fault, Faults, other
from tests.harness.kms.http import Handler, Quiet, serve
from tools.local.certificates import Authority

CHALLENGE = (
    'Bearer authorization="https://login.microsoftonline.com/'
    '72f988bf-86f1-41af-91ab-2d7cd011db47", resource="https://vault.azure.net"'
)
_OAEP = OAEP(MGF1(SHA256()), SHA256(), None)
DIGEST_BYTES = 32


def _error(code: str, message: str, inner: dict[str, str] | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": message}
    return {"error": error | ({"innererror": inner} if inner else {})}


REFUSALS = {
    Fault.DENY: (
        HTTPStatus.FORBIDDEN,
        _error("Forbidden", "Caller is not authorized.", {"code": "ForbiddenByRbac"}),
    ),
    Fault.THROTTLE: (HTTPStatus.TOO_MANY_REQUESTS, _error("Throttled", "Too many requests.")),
    Fault.FAIL: (HTTPStatus.INTERNAL_SERVER_ERROR, _error("InternalServerError", "")),
}


@dataclass
class Key:
    identifier: str
    kind: str
    enabled: bool = True
    dates_s: dict[str, int] = field(default_factory=dict)
    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(65537, 2048), repr=False
    )

    def bundle(self, identifier: str) -> dict[str, Any]:
        numbers = self.private.public_key().public_numbers()
        return {
            "key": {
                "kid": identifier,
                "kty": self.kind,
                "key_ops": ["wrapKey", "unwrapKey"],
                "n": _encoded(numbers.n.to_bytes(256, "big")),
                "e": _encoded(numbers.e.to_bytes(3, "big")),
            },
            "attributes": {
                "enabled": self.enabled,
                **self.dates_s,
                "created": 1_700_000_000,
                "updated": 1_700_000_000,
                "recoveryLevel": "Recoverable+Purgeable",
            },
        }


class AzureStandIn:
    def __init__(self, folder: Path, port: int = 0) -> None:
        authority = Authority(folder)
        self.ca = authority.file
        self.token_file = folder / "token"
        self.token = secrets.token_urlsafe(24)
        self.token_file.touch(mode=0o600)
        self.token_file.write_text(self.token)
        self.faults = Faults()
        self.keys: dict[str, Key] = {}
        self.plaintexts_sent = 0
        self._server = Quiet(("127.0.0.1", port), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority.issue("vault"))
        # The handler's thread does the handshake, so a client that never begins it blocks no other.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        serve(self._server)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self._server.server_port}"

    def add_key(self, name: str, kind: str = "RSA-HSM") -> str:
        identifier = f"{self.address}/keys/{name}/{secrets.token_hex(16)}"
        self.keys[identifier] = Key(identifier, kind)
        return identifier

    def disable(self, identifier: str) -> None:
        self.keys[identifier].enabled = False

    def enable(self, identifier: str) -> None:
        self.keys[identifier].enabled = True

    def destroy(self, identifier: str) -> None:
        """Soft-delete a key: requests for it get 404."""
        del self.keys[identifier]

    forget = destroy

    def set_dates(self, identifier: str, **dates_s: int) -> None:
        """Set ``nbf`` and ``exp``. Outside them a vault unwraps but refuses to wrap."""
        self.keys[identifier].dates_s = dates_s

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[Handler]:
        vault = self

        class Vault(Handler):
            faults = vault.faults

            def do_GET(self) -> None:  # noqa: N802 - the name that the base calls
                self._answer(None)

            def do_POST(self) -> None:  # noqa: N802
                self._answer(self.read())

            def _answer(self, body: bytes | None) -> None:
                if self.broken():
                    return
                if self.headers.get("Authorization") != f"Bearer {vault.token}":
                    self.reply(
                        HTTPStatus.UNAUTHORIZED,
                        _error("Unauthorized", "AKV10000: the request has no bearer token"),
                        WWW_Authenticate=CHALLENGE,
                    )
                    return
                self.reply(*vault.answer(self.path.partition("?")[0], body))

        return Vault

    def answer(self, path: str, body: bytes | None) -> tuple[HTTPStatus, dict[str, Any]]:
        if self.faults.now in REFUSALS:
            return REFUSALS[self.faults.now]
        parts = path.split("/")
        # Names are case-insensitive; responses have the original spelling.
        identifier = self.address + "/".join(parts[:4]).lower()
        key = self.keys.get(identifier)
        if key is None:
            message = f"A key with (name/id) {parts[2]} was not found in this key vault."
            return HTTPStatus.NOT_FOUND, _error("KeyNotFound", message)
        named = identifier if self.faults.now is not Fault.OTHER_KEY else identifier[:-4] + "beef"
        if body is None:
            return HTTPStatus.OK, key.bundle(named)
        if not key.enabled:
            message = f"Operation {parts[4]} is not allowed on a disabled key."
            return HTTPStatus.FORBIDDEN, _error("Forbidden", message, {"code": "KeyDisabled"})
        return self._operate(key, named, parts[4], json.loads(body))

    def _operate(
        self, key: Key, named: str, operation: str, said: dict[str, str]
    ) -> tuple[HTTPStatus, dict[str, Any]]:
        value = _decoded(said["value"])
        if said["alg"] != "RSA-OAEP-256":
            return HTTPStatus.BAD_REQUEST, _error("BadParameter", "Key and signing algorithm")
        if operation == "wrapkey":
            self.plaintexts_sent += 1
            result = key.private.public_key().encrypt(value, _OAEP)
        else:
            try:
                result = key.private.decrypt(value, _OAEP)
            except ValueError:
                return HTTPStatus.BAD_REQUEST, _error("BadParameter", "Decryption failed")
            if self.faults.now is Fault.OTHER_PLAINTEXT:
                result = result[:DIGEST_BYTES] + other(result[DIGEST_BYTES:])
        return HTTPStatus.OK, {"kid": named, "value": _encoded(result)}


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
