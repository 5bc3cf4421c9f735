"""Parsing of an issuer's key set; unusable keys are ignored or refused."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signer.attestation.release.judge.token_keys import TokenKey, TokenKeysError, read_token_keys
from signer.attestation.release.judge.workload_token import check_token
from tests.harness.builders.attestation import AT_MS
from tests.harness.builders.release import (
    SUBJECT,
    TERMS,
    audience,
    base64url,
    ec_key,
    es256,
    rs256,
    rsa_key,
)

AUDIENCE = audience("gcp")


def number(value: int) -> str:
    return base64url(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode()


def rsa_member(key: rsa.RSAPublicKey | None = None, **changes: Any) -> dict[str, Any]:
    numbers = (key or rsa_key().public_key()).public_numbers()
    member = {"kty": "RSA", "kid": "r1", "n": number(numbers.n), "e": number(numbers.e)}
    return member | {"alg": "RS256", "use": "sig"} | changes


def ec_member(**changes: Any) -> dict[str, Any]:
    numbers = ec_key().public_key().public_numbers()
    member = {"kty": "EC", "kid": "e1", "crv": "P-256", "x": number(numbers.x)}
    return member | {"y": number(numbers.y), "alg": "ES256", "use": "sig"} | changes


def read(*members: object) -> tuple[TokenKey, ...]:
    return read_token_keys(json.dumps({"keys": members}).encode())


def test_an_issuers_keys_are_read() -> None:
    keys = read(rsa_member(), ec_member())
    assert [(key.kid, key.algorithm) for key in keys] == [("r1", "RS256"), ("e1", "ES256")]
    for token in (rs256(), es256()):
        assert check_token(token, TERMS, AUDIENCE, keys, AT_MS).subject == SUBJECT


def test_keys_of_other_types_and_uses_are_ignored() -> None:
    assert (
        read(
            {"kty": "oct", "kid": "r1", "k": "AA", "alg": "HS256"},
            {"kty": "OKP", "kid": "o1", "crv": "Ed25519", "x": "AA"},
            rsa_member(use="enc"),
            rsa_member(alg="PS256"),
            rsa_member(kid=None),
            ec_member(crv="P-384"),
        )
        == ()
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":{}, "keys":[]}',
        b'{"keys":[1]}',
        b'{"keys":[{}]}',
        json.dumps({"keys": [rsa_member(), rsa_member()]}).encode(),
        json.dumps({"keys": [rsa_member(), ec_member(kid="r1")]}).encode(),
        json.dumps({"keys": [rsa_member(n="AQAB")]}).encode(),
        json.dumps({"keys": [rsa_member(e=number(2))]}).encode(),
        json.dumps({"keys": [rsa_member(n=rsa_member()["n"] + "=")]}).encode(),
        json.dumps({"keys": [ec_member(x=number(5))]}).encode(),
        b" " * 70_000,
    ],
)
def test_a_malformed_key_set_is_refused(raw: bytes) -> None:
    with pytest.raises(TokenKeysError):
        read_token_keys(raw)


def test_a_weak_key_is_refused() -> None:
    weak = rsa.generate_private_key(65_537, 1024).public_key()  # noqa: S505 - the point
    with pytest.raises(TokenKeysError):
        read(rsa_member(weak))
    for key in (weak, ec.generate_private_key(ec.SECP384R1()).public_key()):
        with pytest.raises(TokenKeysError, match=r"2048.*8192.*P-256"):
            TokenKey("k", key)
