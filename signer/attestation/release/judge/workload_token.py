"""Verifier of workload identity tokens: JWTs (RFC 7519) in compact form.

A token is the second factor beside the report. It is a bearer token: valid for anyone who has it
until it expires. Source: RFC 7515, RFC 8725.

1. The header names a known key and that key's algorithm.
2. That key signed the token.
3. Issuer, audience and subject are accepted.
4. The token is valid now, for no longer than the policy allows.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cryptography.exceptions import InvalidSignature

from schemas.strict_json import JsonError, read_json
from signer.attestation.release.judge.token_keys import TokenKey, base64url_decode
from signer.attestation.release.policy import SECOND_MS, TOKEN_BYTES_MAX, WorkloadTerms
from signer.attestation.verify.errors import AttestationError

TIME_S_MAX = 2**40
_HEADER = frozenset({"alg", "kid", "typ"})


class TokenCode(StrEnum):
    """Why a token is refused. A code never changes its meaning."""

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


class TokenError(AttestationError):
    """The token is refused. The message never contains the token or its claims."""

    def __init__(self, code: TokenCode) -> None:
        super().__init__(code.value)
        self.code = code


@dataclass(frozen=True, slots=True)
class Workload:
    """Subject and expiry of a verified token."""

    subject: str
    expires_at_ms: int


def check_token(
    token: bytes | bytearray,
    terms: WorkloadTerms,
    audience: str,
    keys: tuple[TokenKey, ...],
    now_ms: int,
) -> Workload:
    """Verify a token for an audience at a time (ms since 1970); raise ``TokenError``."""
    head, body, signature = _parts(token)
    # 1. The key set decides the algorithm, so "none" or a confused algorithm cannot be chosen.
    key = _signing_key(_object(head), keys)
    # 2. No claim is read before the signature is verified.
    try:
        key.verify(_decoded(signature), b".".join((head, body)))
    except InvalidSignature:
        raise TokenError(TokenCode.SIGNATURE_INVALID) from None
    # 3. Issuer, audience and subject.
    claims = _object(body)
    _check_names(claims, terms, audience)
    # 4. Times.
    expires_at_ms = _check_times(claims, terms, now_ms)
    return Workload(claims["sub"], expires_at_ms)


def _parts(token: bytes | bytearray) -> tuple[bytes, bytes, bytes]:
    parts = bytes(token).split(b".") if len(token) <= TOKEN_BYTES_MAX else []
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise TokenError(TokenCode.MALFORMED)
    return parts[0], parts[1], parts[2]


def _signing_key(header: dict[str, Any], keys: tuple[TokenKey, ...]) -> TokenKey:
    # Other members (jwk, jku, x5c, x5u, crit, b64) would let the token choose its own verification.
    if not header.keys() <= _HEADER or header.get("typ", "JWT") != "JWT":
        raise TokenError(TokenCode.HEADER_REFUSED)
    key = next((one for one in keys if one.kid == header.get("kid")), None)
    if key is None:
        raise TokenError(TokenCode.KEY_UNKNOWN)
    if header.get("alg") != key.algorithm:
        raise TokenError(TokenCode.ALGORITHM_REFUSED)
    return key


def _check_names(claims: dict[str, Any], terms: WorkloadTerms, audience: str) -> None:
    if claims.get("iss") != terms.issuer:
        raise TokenError(TokenCode.ISSUER_REFUSED)
    # A token with several audiences could be replayed here by any of them.
    if claims.get("aud") not in (audience, [audience]):
        raise TokenError(TokenCode.AUDIENCE_REFUSED)
    if claims.get("sub") not in terms.subjects:
        raise TokenError(TokenCode.SUBJECT_REFUSED)


def _check_times(claims: dict[str, Any], terms: WorkloadTerms, now_ms: int) -> int:
    expires_at_ms, issued_at_ms = _time_ms(claims, "exp"), _time_ms(claims, "iat")
    starts_ms = max(issued_at_ms, _time_ms(claims, "nbf") if "nbf" in claims else 0)
    if now_ms >= expires_at_ms:
        raise TokenError(TokenCode.EXPIRED)
    if now_ms + terms.skew_ms_max < starts_ms:
        raise TokenError(TokenCode.EARLY)
    if expires_at_ms - issued_at_ms > terms.lifetime_ms_max:
        raise TokenError(TokenCode.LIFETIME_REFUSED)
    return expires_at_ms


def _time_ms(claims: dict[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= TIME_S_MAX:
        raise TokenError(TokenCode.MALFORMED)
    return value * SECOND_MS


def _object(part: bytes) -> dict[str, Any]:
    try:
        value = read_json(_decoded(part))
    except JsonError:
        raise TokenError(TokenCode.MALFORMED) from None
    if not isinstance(value, dict):
        raise TokenError(TokenCode.MALFORMED)
    return value


def _decoded(part: bytes) -> bytes:
    try:
        return base64url_decode(part.decode("ascii"))
    except ValueError:
        raise TokenError(TokenCode.MALFORMED) from None
