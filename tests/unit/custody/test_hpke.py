"""HPKE (RFC 9180): compared with our own implementation on other primitives, and tampered with."""

import copy
import hmac
import pickle

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from signer.custody.errors import CorruptError, RandomnessError
from signer.custody.hpke import HpkeKey, public_key_of, seal
from tests.harness.builders.custody_material import Stream

PRIVATE = bytes(range(1, 33))
KEM_SUITE = b"KEM" + (0x0020).to_bytes(2, "big")
SUITE = b"HPKE" + bytes.fromhex("002000010002")  # X25519, HKDF-SHA256, AES-256-GCM


def extract(suite: bytes, salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + material, "sha256")


def expand(suite: bytes, key: bytes, label: bytes, info: bytes, size: int) -> bytes:
    labelled = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return HKDFExpand(SHA256(), size, labelled).derive(key)


def opened_by_the_rfc(box: bytes, private: bytes, info: bytes) -> bytes:
    """Decap and open (RFC 9180, 4.1, 5.1 and 5.2), without the library that is under test."""
    key = X25519PrivateKey.from_private_bytes(private)
    shared = key.exchange(X25519PublicKey.from_public_bytes(box[:32]))
    context = box[:32] + key.public_key().public_bytes_raw()
    eae = extract(KEM_SUITE, b"", b"eae_prk", shared)
    secret = expand(KEM_SUITE, eae, b"shared_secret", context, 32)
    schedule = b"\x00" + extract(SUITE, b"", b"psk_id_hash", b"")
    schedule += extract(SUITE, b"", b"info_hash", info)
    prk = extract(SUITE, secret, b"secret", b"")
    nonce = expand(SUITE, prk, b"base_nonce", schedule, 12)
    return AESGCM(expand(SUITE, prk, b"key", schedule, 32)).decrypt(nonce, box[32:], b"")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_boxes_are_those_of_the_rfc(content: bytes, info: bytes) -> None:
    key = HpkeKey(PRIVATE)
    box = seal(key.public_key, content, info)
    assert opened_by_the_rfc(box, PRIVATE, info) == key.open(box, info) == content
    assert len(box) == 32 + len(content) + 16


@given(st.integers(0, 79), st.integers(1, 255))
def test_every_changed_byte_is_refused(at: int, turned: int) -> None:
    key = HpkeKey(PRIVATE)
    box = bytearray(seal(key.public_key, bytes(32), b"info"))
    box[at] ^= turned
    # X25519 ignores the top bit of a public key; HPKE binds the key as it was sent.
    with pytest.raises(CorruptError):
        key.open(bytes(box), b"info")


def test_a_box_opens_for_its_key_and_its_info_alone() -> None:
    key, box = HpkeKey(PRIVATE), seal(HpkeKey(PRIVATE).public_key, b"x", b"one")
    with pytest.raises(CorruptError):
        key.open(box, b"two")
    with pytest.raises(CorruptError):
        HpkeKey(bytes(range(2, 34))).open(box, b"one")
    for short in (b"", box[:31], box[:32], box[:-1]):
        with pytest.raises(CorruptError):
            key.open(short, b"one")


def test_a_closed_key_opens_nothing() -> None:
    key = HpkeKey(PRIVATE)
    box = seal(key.public_key, b"x", b"")
    key.close()
    with pytest.raises(CorruptError, match="closed"):
        key.open(box, b"")


def test_the_der_of_a_key_is_the_librarys_and_comes_back() -> None:
    key = HpkeKey(PRIVATE)
    public = X25519PublicKey.from_public_bytes(key.public_key)
    assert key.spki == public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert public_key_of(key.spki) == key.public_key


@pytest.mark.parametrize("low", [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"])
def test_a_key_of_low_order_is_refused(low: bytes) -> None:
    spki = HpkeKey(PRIVATE).spki[:12] + low
    with pytest.raises(ValueError, match="X25519"):
        public_key_of(spki)


def test_a_key_shows_nothing_and_stays_where_it_is() -> None:
    key = HpkeKey.generate(Stream())
    assert repr(key) == f"<HpkeKey 0x{key.public_key.hex()}>"
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be copied"):
            leave(key)


def test_randomness_that_falls_short_makes_no_key() -> None:
    with pytest.raises(RandomnessError):
        HpkeKey.generate(lambda _: b"short")
