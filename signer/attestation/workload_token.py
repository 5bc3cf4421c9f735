"""The workload's identity token: a JWT (RFC 7519) in compact form, RS256 or ES256, with given keys.

It is the second factor beside the report, and a bearer's: who has it may show it while it lasts.
An algorithm is a property of a key, never of what comes in: a token's header may name its key and
must name that key's algorithm. Source: RFC 7515, RFC 7518, RFC 8725.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, TypeAlias

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
from pydantic import Field, StringConstraints

from schemas.canonical import Canonical
from schemas.release import SUBJECT_MAX
from schemas.strict_json import JsonWrong, read_json

TOKEN_BYTES_MAX = 8 * 1024
KEYS_BYTES_MAX = 64 * 1024
RSA_BITS_MIN, RSA_BITS_MAX = 2048, 8192
ES256_BYTES = 64
SECOND_MS = 1000
TIME_S_MAX = 2**40
_HEADER = frozenset({"alg", "kid", "typ"})
_BASE64URL = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey
TokenText = Annotated[
    str, StringConstraints(pattern=rf"^[\x21-\x7e]{{1,{SUBJECT_MAX}}}$", strict=True)
]


class TokenCode(StrEnum):
    """What was found of a token; a code never changes its meaning."""

    MALFORMED = "token_malformed"
    HEADER_REFUSED = "token_header_refused"
    KEY_UNKNOWN = "token_key_unknown"
    ALGORITHM_REFUSED = "token_algorithm_refused"
    SIGNATURE_INVALID = "token_signature_invalid"
    ISSUER_REFUSED = "token_issuer_refused"
    AUDIENCE_REFUSED = "token_audience_refused"
    SUBJECT_REFUSED = "token_subject_refused"
    EARLY = "token_early"
    EXPIRED = "token_expired"
    LIFETIME_REFUSED = "token_lifetime_refused"


class TokenRefused(Exception):  # noqa: N818 - a refusal, told by its code
    """A token that proves nothing; neither it nor its claims are repeated."""

    def __init__(self, code: TokenCode) -> None:
        super().__init__(code.value)
        self.code = code


class TokenKeysWrong(ValueError):  # noqa: N818 - says what the input is
    """A set of keys that cannot be used; the sentence says why."""


class WorkloadTerms(Canonical):
    """Whose tokens count: one issuer's, for listed subjects, with a bounded life.

    ``skew_ms_max`` is how far the issuer's clock may be ahead; it prolongs no token.
    """

    issuer: TokenText
    subjects: Annotated[tuple[TokenText, ...], Field(min_length=1, max_length=16)]
    lifetime_ms_max: Annotated[int, Field(ge=SECOND_MS, le=24 * 60 * 60 * 1000)] = 60 * 60 * 1000
    skew_ms_max: Annotated[int, Field(ge=0, le=60_000)] = 0


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key of the issuer's by its name; its kind says its only algorithm.

    Raise ``TokenKeysWrong`` for RSA of other sizes than 2048 to 8192 bits, and for another curve
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
            raise TokenKeysWrong("a key for tokens is RSA of 2048 to 8192 bits, or on P-256")

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


@dataclass(frozen=True, slots=True)
class Workload:
    """Who a token was given to, and until when it says so."""

    subject: str
    expires_at_ms: int


def read_token_keys(raw: bytes) -> tuple[TokenKey, ...]:
    """Return the keys of a JSON Web Key Set (RFC 7517) that tokens may be signed with.

    Keys of other kinds, for other uses or without a name are passed over; secret ones are among
    them. Raise ``TokenKeysWrong`` for what is no such set, for names that occur twice, and for weak
    or malformed keys.
    """
    if len(raw) > KEYS_BYTES_MAX:
        raise TokenKeysWrong("the set of keys is too large")
    try:
        members = read_json(raw)["keys"]
        keys = [_key(one) for one in members if _usable(one)]
    except (JsonWrong, KeyError, TypeError, AttributeError, ValueError, binascii.Error):
        raise TokenKeysWrong("the set of keys is malformed") from None
    if len({key.kid for key in keys}) != len(keys):
        raise TokenKeysWrong("the set has two keys of one name")
    return tuple(keys)


def check_token(
    token: bytes | bytearray,
    terms: WorkloadTerms,
    audience: str,
    keys: tuple[TokenKey, ...],
    now_ms: int,
) -> Workload:
    """Return whom a token names to this audience at that time (ms since 1970).

    Raise ``TokenRefused``.
    """
    parts = _parts(token)
    head, body, signature = parts
    key = _signing_key(_object(head), keys)
    try:
        key.verify(_decoded(signature), b".".join((head, body)))
    except InvalidSignature:
        raise TokenRefused(TokenCode.SIGNATURE_INVALID) from None
    claims = _object(body)
    _check_names(claims, terms, audience)
    expires_at_ms = _check_times(claims, terms, now_ms)
    return Workload(claims["sub"], expires_at_ms)


def _parts(token: bytes | bytearray) -> tuple[bytes, bytes, bytes]:
    parts = bytes(token).split(b".") if len(token) <= TOKEN_BYTES_MAX else []
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise TokenRefused(TokenCode.MALFORMED)
    return parts[0], parts[1], parts[2]


def _signing_key(header: dict[str, Any], keys: tuple[TokenKey, ...]) -> TokenKey:
    # Whatever else a header may hold (jwk, jku, x5c, x5u, crit, b64) says how to be believed.
    if not header.keys() <= _HEADER or header.get("typ", "JWT") != "JWT":
        raise TokenRefused(TokenCode.HEADER_REFUSED)
    key = next((one for one in keys if one.kid == header.get("kid")), None)
    if key is None:
        raise TokenRefused(TokenCode.KEY_UNKNOWN)
    if header.get("alg") != key.algorithm:
        raise TokenRefused(TokenCode.ALGORITHM_REFUSED)
    return key


def _check_names(claims: dict[str, Any], terms: WorkloadTerms, audience: str) -> None:
    if claims.get("iss") != terms.issuer:
        raise TokenRefused(TokenCode.ISSUER_REFUSED)
    # A token for others too could be shown here by any of them.
    if claims.get("aud") not in (audience, [audience]):
        raise TokenRefused(TokenCode.AUDIENCE_REFUSED)
    if claims.get("sub") not in terms.subjects:
        raise TokenRefused(TokenCode.SUBJECT_REFUSED)


def _check_times(claims: dict[str, Any], terms: WorkloadTerms, now_ms: int) -> int:
    expires_at_ms, issued_at_ms = _time_ms(claims, "exp"), _time_ms(claims, "iat")
    starts_ms = max(issued_at_ms, _time_ms(claims, "nbf") if "nbf" in claims else 0)
    if now_ms >= expires_at_ms:
        raise TokenRefused(TokenCode.EXPIRED)
    if now_ms + terms.skew_ms_max < starts_ms:
        raise TokenRefused(TokenCode.EARLY)
    if expires_at_ms - issued_at_ms > terms.lifetime_ms_max:
        raise TokenRefused(TokenCode.LIFETIME_REFUSED)
    return expires_at_ms


def _time_ms(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= TIME_S_MAX:
        raise TokenRefused(TokenCode.MALFORMED)
    return value * SECOND_MS


def _object(part: bytes) -> dict[str, Any]:
    try:
        value = read_json(_decoded(part))
    except JsonWrong:
        raise TokenRefused(TokenCode.MALFORMED) from None
    if not isinstance(value, dict):
        raise TokenRefused(TokenCode.MALFORMED)
    return value


def _decoded(part: bytes) -> bytes:
    try:
        return _base64url(part.decode("ascii"))
    except ValueError:
        raise TokenRefused(TokenCode.MALFORMED) from None


def _base64url(text: str) -> bytes:
    """Decode base64url without padding, in its one spelling; raise ``ValueError``."""
    if not _BASE64URL.fullmatch(text):
        raise ValueError("not base64url")
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise ValueError("not the one spelling of its bytes")
    return raw


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
    return int.from_bytes(_base64url(text), "big")
