"""Token keys of an issuer (RS256, ES256), read from its JSON Web Key Set.

The algorithm belongs to the key; a token cannot choose it. Source: RFC 7517, RFC 7518, RFC 8725.
"""

import base64
import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from schemas.strict_json import read_json

KEYS_BYTES_MAX = 64 * 1024
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
ES256_BYTES = 64

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey


class TokenKeysError(ValueError):
    """The key set cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A named key of the issuer; its type determines its only algorithm.

    Raise ``TokenKeysError`` unless it is RSA with 2048 to 8192 bits, or on P-256.
    """

    kid: str
    public_key: PublicKey

    def __post_init__(self) -> None:
        if isinstance(self.public_key, RSAPublicKey):
            usable = RSA_BITS_MIN <= self.public_key.key_size <= RSA_BITS_MAX
        else:
            usable = isinstance(self.public_key.curve, SECP256R1)
        if not usable:
            raise TokenKeysError("a token key must be RSA with 2048 to 8192 bits, or on P-256")

    @property
    def algorithm(self) -> str:
        """The required ``alg`` in the header of a token."""
        return "RS256" if isinstance(self.public_key, RSAPublicKey) else "ES256"

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise ``InvalidSignature`` unless this key made it."""
        if isinstance(self.public_key, RSAPublicKey):
            self.public_key.verify(signature, message, PKCS1v15(), SHA256())
            return
        if len(signature) != ES256_BYTES:
            raise InvalidSignature
        half = ES256_BYTES // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        self.public_key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))


def base64url_decode(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515); raise ``ValueError`` if it is not canonical."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise ValueError("not canonical base64url")
    return raw


def read_token_keys(raw: bytes) -> tuple[TokenKey, ...]:
    """Parse the token keys of a JSON Web Key Set (RFC 7517).

    Keys of other types (symmetric ones too), for other uses or without a name are ignored. Raise
    ``TokenKeysError`` for a malformed set, a repeated name, and a weak or malformed key.
    """
    if len(raw) > KEYS_BYTES_MAX:
        raise TokenKeysError("the key set is too large")
    try:
        members = read_json(raw)["keys"]
        keys = [_key(one) for one in members if _usable(one)]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise TokenKeysError("the key set is malformed") from None
    if len({key.kid for key in keys}) != len(keys):
        raise TokenKeysError("the key set has two keys with the same name")
    return tuple(keys)


def _usable(member: dict[str, Any]) -> bool:
    kind = {"RSA": "RS256", "EC": "ES256"}.get(member["kty"])
    return (
        kind is not None
        and isinstance(member.get("kid"), str)
        and member.get("use", "sig") == "sig"
        and member.get("alg", kind) == kind
        and member.get("crv", "P-256") == "P-256"
    )


def _key(member: dict[str, Any]) -> TokenKey:
    if member["kty"] == "RSA":
        rsa = RSAPublicNumbers(_number(member["e"]), _number(member["n"]))
        return TokenKey(member["kid"], rsa.public_key())
    numbers = EllipticCurvePublicNumbers(_number(member["x"]), _number(member["y"]), SECP256R1())
    return TokenKey(member["kid"], numbers.public_key())


def _number(text: str) -> int:
    return int.from_bytes(base64url_decode(text), "big")
