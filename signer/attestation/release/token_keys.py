"""The keys an issuer signs tokens with, RS256 or ES256: read from its JSON Web Key Set.

An algorithm is a property of a key, never of what comes in. Source: RFC 7517, RFC 7518, RFC 8725.
"""

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
from signer.attestation.release.base64url import base64url_decode

KEYS_BYTES_MAX = 64 * 1024
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
ES256_BYTES = 64

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey


class TokenKeysError(ValueError):
    """A set of keys that cannot be used; the sentence says why."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key of the issuer's by its name; its kind says its only algorithm.

    Raise ``TokenKeysError`` for RSA of other sizes than 2048 to 8192 bits, and for another curve
    than P-256.
    """

    kid: str
    public_key: PublicKey

    def __post_init__(self) -> None:
        if isinstance(self.public_key, RSAPublicKey):
            usable = RSA_BITS_MIN <= self.public_key.key_size <= RSA_BITS_MAX
        else:
            usable = isinstance(self.public_key.curve, SECP256R1)
        if not usable:
            raise TokenKeysError("a key for tokens is RSA of 2048 to 8192 bits, or on P-256")

    @property
    def algorithm(self) -> str:
        """Return the name in the header of what it signs."""
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


def read_token_keys(raw: bytes) -> tuple[TokenKey, ...]:
    """Return the keys of a JSON Web Key Set (RFC 7517) that tokens may be signed with.

    Keys of other kinds, for other uses or without a name are passed over; secret ones are among
    them. Raise ``TokenKeysError`` for what is no such set, for names that occur twice, and for weak
    or malformed keys.
    """
    if len(raw) > KEYS_BYTES_MAX:
        raise TokenKeysError("the set of keys is too large")
    try:
        members = read_json(raw)["keys"]
        keys = [_key(one) for one in members if _usable(one)]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise TokenKeysError("the set of keys is malformed") from None
    if len({key.kid for key in keys}) != len(keys):
        raise TokenKeysError("the set has two keys of one name")
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
