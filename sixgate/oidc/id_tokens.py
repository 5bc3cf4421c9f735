"""Rules for ID tokens that a client presents. Pure.

Source: OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725.

1. The issuer's key signed the token, with that key's own algorithm.
2. The issuer made it for this organisation's client, and for nobody else.
3. It is valid now, and was issued a short time ago.
4. Its nonce is the one that the client sent to the issuer, if it has one.
5. It has every claim that the settings require, and the claim that names the person.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jwt

from schemas.canonical import digest
from signer.attestation.release.judge.token_keys import TokenKey
from sixgate.oidc.errors import ClaimError, IdTokenError
from sixgate.oidc.settings import Claim, OidcSettings

TOKEN_LENGTH_MAX = 16 * 1024
VALUE_LENGTH_MAX = 255
TIME_S_MAX = 2**40


class Identity(NamedTuple):
    """A person at an issuer: the value of the claim that names the person."""

    issuer: str
    claim: Claim
    value: str


class IdToken(NamedTuple):
    """A verified ID token: who it names, the digest of what its issuer signed, and its end."""

    identity: Identity
    digest: str
    expires_at_s: int


def key_name(token: str, settings: OidcSettings) -> str:
    """Return the name of the key in the header of a token; raise ``IdTokenError``."""
    if len(token) > TOKEN_LENGTH_MAX:
        raise IdTokenError("the ID token is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise IdTokenError("the ID token is malformed") from None
    if header.get("alg") not in settings.algorithms:
        raise IdTokenError("the algorithm of the ID token is not allowed")
    # "crit" demands extensions that nothing here knows; another type is not an ID token.
    if "crit" in header or str(header.get("typ", "JWT")).upper() != "JWT":
        raise IdTokenError("the header of the ID token is not one of an ID token")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise IdTokenError("the ID token names no key")
    return kid


def verified_token(
    token: str, key: TokenKey, settings: OidcSettings, nonce: str | None, now_ms: int
) -> IdToken:
    """Return what counts of a token; raise ``IdTokenError`` and ``ClaimError``."""
    # 1.
    claims = _verified(token, key)
    # 2.
    _check_parties(claims, settings)
    # 3.
    _check_times(claims, settings, now_ms // 1000)
    # 4.
    if claims.get("nonce") != nonce:
        raise IdTokenError("send the nonce of the ID token's authentication request, and no other")
    # 5.
    for name, required in settings.required_claims.items():
        _require(claims, name, required)
    identity = Identity(settings.issuer, settings.claim, _person(claims, settings.claim))
    # Without the signature: of an elliptic one anyone can write a second form.
    signed = token.rpartition(".")[0]
    return IdToken(identity, digest("sixgate/id-token/v1", signed.encode()), claims["exp"])


def _verified(token: str, key: TokenKey) -> Mapping[str, Any]:
    try:
        # The key decides the algorithm, so "none" or a confused algorithm cannot be chosen. What
        # the library would check of the claims is checked below, with the caller's time.
        return jwt.decode(
            token,
            key.public_key,
            algorithms=[key.algorithm],
            options={
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.InvalidTokenError:
        raise IdTokenError("the ID token is malformed or not signed by its issuer") from None


def _check_parties(claims: Mapping[str, Any], settings: OidcSettings) -> None:
    if claims.get("iss") != settings.issuer:
        raise IdTokenError("the ID token is of another issuer")
    # Any other audience could present a token that it was given.
    if claims.get("aud") not in (settings.client_id, [settings.client_id]):
        raise IdTokenError("the ID token is for another audience")
    party = claims.get("azp", settings.client_id)
    if party not in (settings.client_id, *settings.authorized_parties):
        raise IdTokenError("the ID token was issued to another party")


def _check_times(claims: Mapping[str, Any], settings: OidcSettings, now_s: int) -> None:
    issued_s, expires_s = _time_s(claims, "iat"), _time_s(claims, "exp")
    starts_s = max(issued_s, _time_s(claims, "nbf") if "nbf" in claims else 0)
    if now_s >= expires_s:
        raise IdTokenError("the ID token has expired")
    if now_s + settings.leeway_s < starts_s:
        raise IdTokenError("the ID token is from the future: check the clocks")
    if now_s - issued_s > settings.age_s_max:
        why = f"the ID token is over {settings.age_s_max} seconds old: log in again"
        raise IdTokenError(why)


def _time_s(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= TIME_S_MAX:
        raise IdTokenError(f"the ID token has no valid {name}")
    return value


def _require(claims: Mapping[str, Any], name: str, required: str) -> None:
    found = claims.get(name)
    values = found if isinstance(found, list) else [found]
    if required not in values:
        raise ClaimError(f"the claim {name} of the ID token is not {required}")


def _person(claims: Mapping[str, Any], claim: Claim) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= VALUE_LENGTH_MAX:
        raise ClaimError(f"the ID token has no {claim}")
    # Anybody may claim an address that the issuer did not verify.
    if claim == "email" and claims.get("email_verified") is not True:
        raise ClaimError("the issuer has not verified the e-mail address in the ID token")
    return value
