"""Strict Ed25519: signer and gates, the ledger's verifier and the client agree with libsodium.

Sources: RFC 8032, 7.1; Project Wycheproof; libsodium's list of points of small order
(ge25519_has_small_order in ed25519_ref10.c), with the encodings that it also refuses.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey
from sixgate_client.kafka import wire

from signer.core.signatures import is_strong_key, signature_is_valid
from streams.ledger.verifier import signatures as verifier

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
SIGN = 1 << 255
ORDER_8 = bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
Y_8 = int.from_bytes(ORDER_8, "little")
IDENTITY = (1).to_bytes(32, "little")
# p and p + 1 are the only other encodings of these y that fit into 255 bits.
SMALL_ORDER = [
    (y | sign).to_bytes(32, "little")
    for y in (0, 1, P - 1, Y_8, P - Y_8, P, P + 1)
    for sign in (0, SIGN)
]
NON_CANONICAL = [(y | sign).to_bytes(32, "little") for y in range(P, 2**255) for sign in (0, SIGN)]

# RFC 8032, 7.1, tests 1 to 3: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
]

Verify = Callable[[bytes, bytes, bytes], bool]


def in_the_signer(key: bytes, signature: bytes, message: bytes) -> bool:
    return signature_is_valid("0x" + key.hex(), signature, message)


def in_the_verifier(key: bytes, signature: bytes, message: bytes) -> bool:
    return verifier.verifies(verifier.public_key(key), signature, message)


def in_the_client(key: bytes, signature: bytes, message: bytes) -> bool:
    return wire.verifies("0x" + key.hex(), signature, message)


def in_libsodium(key: bytes, signature: bytes, message: bytes) -> bool:
    try:
        VerifyKey(key).verify(message, signature)
    except (BadSignatureError, ValueError):
        return False
    return True


everywhere = pytest.mark.parametrize("verify", [in_the_signer, in_the_verifier, in_the_client])


def wycheproof() -> list[dict[str, Any]]:
    file = Path(__file__).with_name("wycheproof_ed25519.json")
    cases: list[dict[str, Any]] = json.loads(file.read_bytes())["cases"]
    return cases


@everywhere
def test_the_vectors_of_rfc_8032_verify(verify: Verify) -> None:
    for key, message, signature in RFC_8032:
        assert verify(bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message))


@everywhere
def test_every_wycheproof_case_is_decided_as_expected(verify: Verify) -> None:
    cases = wycheproof()
    wrong = [
        case["id"]
        for case in cases
        if verify(*(bytes.fromhex(case[name]) for name in ("key", "signature", "message")))
        is not case["valid"]
    ]
    assert wrong == []
    assert {case["valid"] for case in cases} == {True, False}


def test_openssl_accepts_any_message_for_the_identity_as_key() -> None:
    """The attack: whoever registers this key lets everyone sign for it."""
    Ed25519PublicKey.from_public_bytes(IDENTITY).verify(IDENTITY + bytes(32), b"any message")


@everywhere
@pytest.mark.parametrize("key", SMALL_ORDER, ids=bytes.hex)
def test_a_key_of_small_order_verifies_nothing(verify: Verify, key: bytes) -> None:
    for r in (*SMALL_ORDER, key):
        for message in (b"", b"a", b"b", b"c", b"d", b"e", b"f", b"g"):
            assert not verify(key, r + bytes(32), message)


@everywhere
def test_a_signature_with_r_of_small_order_is_invalid(verify: Verify) -> None:
    """The holder of a key can make one: R is the identity and S = k·a, for any message."""
    secret, message = SigningKey(b"s" * 32), b"message"
    key = bytes(secret.verify_key)
    signature = signed_with_r(secret, IDENTITY, message)
    Ed25519PublicKey.from_public_bytes(key).verify(signature, message)  # as RFC 8032 allows
    assert not in_libsodium(key, signature, message)
    assert not verify(key, signature, message)


def signed_with_r(secret: SigningKey, r: bytes, message: bytes) -> bytes:
    """Sign with a nonce of zero, so that S = k·a (RFC 8032, 5.1.6)."""
    scalar = int.from_bytes(hashlib.sha512(bytes(secret)).digest()[:32], "little")
    scalar = scalar & ((1 << 254) - 8) | 1 << 254
    hashed = hashlib.sha512(r + bytes(secret.verify_key) + message).digest()
    s = int.from_bytes(hashed, "little") * scalar % ORDER
    return r + s.to_bytes(32, "little")


@everywhere
def test_a_signature_with_s_of_the_group_s_order_or_more_is_invalid(verify: Verify) -> None:
    secret = SigningKey(b"s" * 32)
    key, signature = bytes(secret.verify_key), secret.sign(b"message").signature
    assert verify(key, signature, b"message")
    for times in range(1, 16):
        s = int.from_bytes(signature[32:], "little") + times * ORDER
        assert not verify(key, signature[:32] + s.to_bytes(33, "little")[:32], b"message")


def test_weak_keys_are_recognised() -> None:
    weak = [*SMALL_ORDER, *NON_CANONICAL]
    assert [key.hex() for key in weak if is_strong_key("0x" + key.hex())] == []
    assert [key.hex() for key in weak if verifier.public_key(key) is not None] == []


@given(
    st.sampled_from([*SMALL_ORDER, *NON_CANONICAL]) | st.binary(min_size=32, max_size=32),
    st.sampled_from([*SMALL_ORDER, *NON_CANONICAL]) | st.binary(min_size=32, max_size=32),
    st.integers(0, 8 * ORDER) | st.just(0),
    st.binary(max_size=4),
)
def test_hostile_keys_and_signatures_are_decided_as_by_libsodium(
    key: bytes, r: bytes, s: int, message: bytes
) -> None:
    signature = r + s.to_bytes(32, "little")
    expected = in_libsodium(key, signature, message)
    for verify in (in_the_signer, in_the_verifier, in_the_client):
        assert verify(key, signature, message) is expected


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64))
def test_every_signature_of_libsodium_verifies(seed: bytes, message: bytes) -> None:
    secret = SigningKey(seed)
    signature = secret.sign(message).signature
    for verify in (in_the_signer, in_the_verifier, in_the_client, in_libsodium):
        assert verify(bytes(secret.verify_key), signature, message)
