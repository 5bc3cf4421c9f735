"""Workload tokens: verification, and attempts to forge them."""

import base64
import hashlib
import hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from signer.attestation.release.judge.workload_token import (
    TokenCode,
    TokenError,
    Workload,
    check_token,
)
from signer.attestation.release.policy import TOKEN_BYTES_MAX
from tests.harness.builders.attestation import AT_MS
from tests.harness.builders.release import (
    SUBJECT,
    TERMS,
    audience,
    base64url,
    claims,
    ec_key,
    es256,
    flips,
    part,
    rs256,
    rsa_key,
    token_keys,
)

AUDIENCE = audience("gcp")
NOW_S = AT_MS // 1000


def refused(code: TokenCode, token: bytes, now_ms: int = AT_MS, **terms: Any) -> None:
    changed = TERMS.model_copy(update=terms)
    with pytest.raises(TokenError) as caught:
        check_token(token, changed, AUDIENCE, token_keys(), now_ms)
    assert caught.value.code is code
    assert SUBJECT not in repr(caught.value) + str(caught.value.__context__)


@pytest.mark.parametrize("token", [rs256(), es256(), rs256(aud=[AUDIENCE]), es256(nbf=None)])
def test_a_good_token_names_its_workload(token: bytes) -> None:
    found = check_token(bytearray(token), TERMS, AUDIENCE, token_keys(), AT_MS)
    assert found == Workload(SUBJECT, (NOW_S + 600) * 1000)


@pytest.mark.parametrize("token", [rs256(), es256()])
def test_every_changed_byte_is_refused(token: bytes) -> None:
    for changed in flips(token, 1):
        with pytest.raises(TokenError):
            check_token(changed, TERMS, AUDIENCE, token_keys(), AT_MS)


def test_an_unsigned_token_is_refused() -> None:
    body = part(claims())
    for alg in ("none", "None", "NONE", ""):
        for kid in ("r1", "e1"):
            token = part({"alg": alg, "kid": kid}) + b"." + body + b"."
            refused(TokenCode.ALGORITHM_REFUSED, token)
        refused(TokenCode.KEY_UNKNOWN, part({"alg": alg}) + b"." + body + b".")


def test_hs256_with_the_public_key_is_refused() -> None:
    """Algorithm confusion: HS256 with the bytes of the public RSA key as secret."""
    public = rsa_key().public_key()
    for secret in (
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ):
        message = part({"alg": "HS256", "kid": "r1"}) + b"." + part(claims())
        mac = hmac.digest(secret, message, hashlib.sha256)
        refused(TokenCode.ALGORITHM_REFUSED, message + b"." + base64url(mac))


def test_a_key_accepts_only_its_own_algorithm() -> None:
    for alg in ("ES256", "PS256", "RS384", "RS512", "rs256", ["RS256"], None, 256):
        refused(TokenCode.ALGORITHM_REFUSED, rs256({"alg": alg, "kid": "r1"}))
    refused(TokenCode.ALGORITHM_REFUSED, es256({"alg": "RS256", "kid": "e1"}))
    refused(TokenCode.ALGORITHM_REFUSED, rs256({"kid": "r1"}))
    refused(TokenCode.SIGNATURE_INVALID, rs256({"alg": "ES256", "kid": "e1"}))


@pytest.mark.parametrize(
    "kid",
    ["../../dev/null", "r1' OR '1'='1", "R1", "r1 ", "", None, ["r1"], {"r1": 1}, 1, "r1\x00"],
)
def test_a_kid_must_name_a_key_of_the_set(kid: object) -> None:
    refused(TokenCode.KEY_UNKNOWN, rs256({"alg": "RS256", "kid": kid}))


@pytest.mark.parametrize(
    "extra",
    [
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"jku": "https://thief.example/keys"},
        {"x5u": "https://thief.example/chain"},
        {"x5c": ["AA"]},
        {"crit": ["exp"]},
        {"b64": False},
        {"zip": "DEF"},
        {"cty": "JWT"},
        {"typ": "at+jwt"},
        {"typ": None},
    ],
)
def test_a_header_cannot_choose_its_verification(extra: dict[str, Any]) -> None:
    refused(TokenCode.HEADER_REFUSED, rs256({"alg": "RS256", "kid": "r1"} | extra))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://issuer.example/"}, TokenCode.ISSUER_REFUSED),
        ({"iss": None}, TokenCode.ISSUER_REFUSED),
        ({"aud": "https://other.example"}, TokenCode.AUDIENCE_REFUSED),
        ({"aud": [AUDIENCE, "https://other.example"]}, TokenCode.AUDIENCE_REFUSED),
        ({"aud": []}, TokenCode.AUDIENCE_REFUSED),
        ({"aud": None}, TokenCode.AUDIENCE_REFUSED),
        ({"sub": "system:serviceaccount:sixgate:default"}, TokenCode.SUBJECT_REFUSED),
        ({"sub": [SUBJECT]}, TokenCode.SUBJECT_REFUSED),
        ({"sub": None}, TokenCode.SUBJECT_REFUSED),
        ({"exp": None}, TokenCode.MALFORMED),
        ({"exp": str(NOW_S + 600)}, TokenCode.MALFORMED),
        ({"exp": True}, TokenCode.MALFORMED),
        ({"exp": NOW_S + 0.5}, TokenCode.MALFORMED),
        ({"exp": -1}, TokenCode.MALFORMED),
        ({"exp": 10**30}, TokenCode.MALFORMED),
        ({"iat": None}, TokenCode.MALFORMED),
        ({"nbf": "0"}, TokenCode.MALFORMED),
        ({"nbf": NOW_S + 1}, TokenCode.EARLY),
        ({"iat": NOW_S + 1}, TokenCode.EARLY),
        ({"exp": NOW_S}, TokenCode.EXPIRED),
        ({"exp": NOW_S + 3600}, TokenCode.LIFETIME_REFUSED),
    ],
)
def test_a_token_with_other_claims_is_refused(changes: dict[str, Any], code: TokenCode) -> None:
    refused(code, rs256(**changes))


def test_times_are_exact_and_skew_extends_no_token() -> None:
    token = rs256()
    check_token(token, TERMS, AUDIENCE, token_keys(), (NOW_S + 600) * 1000 - 1)
    refused(TokenCode.EXPIRED, token, (NOW_S + 600) * 1000, skew_ms_max=60_000)
    refused(TokenCode.EARLY, token, (NOW_S - 10) * 1000 - 1)
    early = TERMS.model_copy(update={"skew_ms_max": 1})
    check_token(token, early, AUDIENCE, token_keys(), (NOW_S - 10) * 1000 - 1)


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b".",
        b"..",
        b"...",
        rs256() + b".",
        b" " + rs256(),
        rs256() + b"\n",
        rs256() + b"=",
        rs256().replace(b".", b"=.", 1),
        rs256() + b"A" * TOKEN_BYTES_MAX,
        b"\xff" + rs256()[1:],
        base64url(b"[]") + rs256()[rs256().index(b".") :],
        base64url(b'{"alg":"none","alg":"RS256","kid":"r1"}') + rs256()[rs256().index(b".") :],
        base64url(b'{"alg":NaN}') + rs256()[rs256().index(b".") :],
    ],
)
def test_a_malformed_token_is_refused(token: bytes) -> None:
    refused(TokenCode.MALFORMED, token)


def test_an_ecdsa_signature_in_der_or_of_another_size_is_refused() -> None:
    message, _, signature = es256().rpartition(b".")
    der = ec_key().sign(message, ec.ECDSA(SHA256()))
    raw = base64.urlsafe_b64decode(signature + b"==")
    padded = raw[:32] + b"\x00" + raw[32:]  # the same r and s
    for wrong in (der, b"", bytes(64), raw[:-1], raw + b"\x00", padded):
        refused(TokenCode.SIGNATURE_INVALID, message + b"." + base64url(wrong))


def test_a_non_canonical_encoding_of_a_signature_is_refused() -> None:
    """The last base64url character of 256 bytes has four unused bits."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = rs256()
    spelled = token[:-1] + alphabet[alphabet.index(token[-1:]) + 1 :][:1]
    assert base64.urlsafe_b64decode(spelled.rpartition(b".")[2] + b"==") == (
        base64.urlsafe_b64decode(token.rpartition(b".")[2] + b"==")
    )
    refused(TokenCode.MALFORMED, spelled)


@given(st.binary(max_size=200))
def test_any_bytes_are_accepted_or_refused_with_a_code(token: bytes) -> None:
    with pytest.raises(TokenError):
        check_token(token, TERMS, AUDIENCE, token_keys(), AT_MS)
