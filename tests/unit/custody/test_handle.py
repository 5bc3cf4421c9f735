import gc
import hashlib
from typing import Any

import pytest
from coincurve import PrivateKey, PublicKey
from eth_keys.backends.native.main import NativeECCBackend
from eth_keys.main import KeyAPI

from schemas.keys.curves import Curve
from signer.custody.errors import CorruptError, HandleClosedError, ImmutableKeyError
from signer.custody.handle import AddressHandle, KeyHandle
from tests.harness.builders.custody_material import SECRET

DIGEST = bytes(range(32))
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def handle(secret: bytes = SECRET) -> KeyHandle:
    return KeyHandle(bytearray(secret))


def test_signs_the_published_rfc_6979_vector_of_the_curve() -> None:
    # Key 1 over SHA-256("Satoshi Nakamoto"), as in the test suites of many Bitcoin libraries.
    signature = handle(bytes(31) + b"\x01").sign(hashlib.sha256(b"Satoshi Nakamoto").digest())
    assert signature[:64].hex() == (
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
        "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    )


@pytest.mark.parametrize("number", range(20))
def test_signs_the_same_bytes_as_two_other_implementations(number: int) -> None:
    secret = hashlib.sha256(b"key %d" % number).digest()
    digest32 = hashlib.sha256(b"digest %d" % number).digest()
    signature = handle(secret).sign(digest32)
    assert signature == PrivateKey(secret).sign_recoverable(digest32, hasher=None)
    pure_python = KeyAPI(NativeECCBackend)
    assert signature == pure_python.PrivateKey(secret).sign_msg_hash(digest32).to_bytes()


@pytest.mark.parametrize("number", range(50))
def test_every_signature_has_a_low_s_and_a_parity_that_recovers_the_key(number: int) -> None:
    key = handle()
    digest32 = hashlib.sha256(b"%d" % number).digest()
    signature = key.sign(digest32)
    assert 0 < int.from_bytes(signature[32:64], "big") <= N // 2
    assert signature[64] in (0, 1)
    recovered = PublicKey.from_signature_and_message(signature, digest32, hasher=None)
    assert recovered.format(compressed=False) == key.public_key()


def test_its_public_key_is_the_uncompressed_point() -> None:
    assert handle().public_key() == PrivateKey(SECRET).public_key.format(compressed=False)
    assert len(handle().public_key()) == 65


@pytest.mark.parametrize("size_bytes", [0, 20, 31, 33, 64])
def test_signs_nothing_but_a_digest_of_32_bytes(size_bytes: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        handle().sign(bytes(size_bytes))


@pytest.mark.parametrize(
    "secret",
    [b"", SECRET[:31], SECRET + b"\x00", bytes(32), N.to_bytes(32, "big"), b"\xff" * 32],
    ids=["empty", "short", "long", "zero", "order", "all ones"],
)
def test_an_invalid_key_is_refused_and_wiped_immediately(secret: bytes) -> None:
    buffer = bytearray(secret)
    with pytest.raises(CorruptError):
        KeyHandle(buffer)
    assert buffer == bytes(len(secret))


def test_closing_wipes_the_buffer_it_took_over() -> None:
    buffer = bytearray(SECRET)
    key = KeyHandle(buffer)
    key.sign(DIGEST)
    assert buffer == SECRET
    key.close()
    assert buffer == bytes(32)


def test_a_closed_handle_refuses_to_sign_and_never_signs_with_zeros() -> None:
    key = handle()
    key.close()
    key.close()
    with pytest.raises(HandleClosedError):
        key.sign(DIGEST)
    assert key.public_key() == handle().public_key()
    assert repr(key).endswith("closed>")


def test_a_dropped_handle_wipes_its_buffer() -> None:
    buffer = bytearray(SECRET)
    key = KeyHandle(buffer)
    del key
    gc.collect()
    assert buffer == bytes(32)


@pytest.mark.parametrize("secret", [SECRET, memoryview(SECRET), SECRET.hex(), None])
def test_a_key_that_could_not_be_wiped_is_refused(secret: Any) -> None:
    with pytest.raises(ImmutableKeyError, match="bytearray"):
        KeyHandle(secret)
    with pytest.raises(ImmutableKeyError, match="bytearray"):
        AddressHandle(Curve.ED25519, secret)
