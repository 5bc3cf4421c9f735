"""Ed25519 keys in custody: they have a public key and cannot sign."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from schemas.keys.curves import Curve
from signer.custody import curves, ed25519
from signer.custody.curves import new_ed25519_secret
from signer.custody.errors import CorruptError, RandomnessError, SigningNotOfferedError
from signer.custody.handle import AddressHandle
from tests.harness.builders.custody_material import SECRET, Stream


def test_the_public_key_is_the_one_of_rfc_8032() -> None:
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert ed25519.public_key(bytearray(secret)).hex() == public


@given(st.binary(min_size=32, max_size=32).filter(any))
def test_the_public_key_is_the_one_libsodium_derives(secret: bytes) -> None:
    assert ed25519.public_key(bytearray(secret)) == bytes(SigningKey(secret).verify_key)


@pytest.mark.parametrize("size_bytes", [0, 31, 33, 64])
@pytest.mark.parametrize("curve", Curve)
def test_a_secret_of_another_length_is_no_key(curve: Curve, size_bytes: int) -> None:
    with pytest.raises(CorruptError, match=f"{curve} key"):
        curves.public_key(curve, bytearray(b"\x01" * size_bytes))


@pytest.mark.parametrize("curve", Curve)
def test_zero_is_no_key(curve: Curve) -> None:
    with pytest.raises(CorruptError):
        curves.public_key(curve, bytearray(32))


def test_a_new_secret_equals_the_draw_and_can_be_wiped() -> None:
    source = Stream("ed25519")
    secret = curves.new_secret(Curve.ED25519, source)
    assert isinstance(secret, bytearray)
    assert [bytes(secret)] == source.drawn


def test_a_source_that_gives_nothing_but_zeros_is_refused() -> None:
    with pytest.raises(RandomnessError):
        new_ed25519_secret(bytes)


@pytest.mark.parametrize("size_bytes", [0, 31, 33])
def test_a_source_that_gives_another_length_is_refused(size_bytes: int) -> None:
    with pytest.raises(RandomnessError, match=r"\b32\b"):
        new_ed25519_secret(lambda _size: bytes(size_bytes))


@pytest.mark.parametrize("curve", Curve)
def test_the_handle_of_an_address_wipes_its_key_and_refuses_to_sign(curve: Curve) -> None:
    buffer = bytearray(SECRET)
    expected = curves.public_key(curve, buffer)
    handle = AddressHandle(curve, buffer)
    assert buffer == bytes(32)
    for _ in range(2):
        with pytest.raises(SigningNotOfferedError, match=" sign"):
            handle.sign(bytes(32))
        handle.close()
    assert handle.public_key() == expected


@pytest.mark.parametrize("curve", Curve)
def test_an_invalid_key_is_refused_and_wiped(curve: Curve) -> None:
    buffer = bytearray(SECRET + b"\x00")
    with pytest.raises(CorruptError):
        AddressHandle(curve, buffer)
    assert buffer == bytes(33)


def test_the_handle_of_an_address_is_neither_pickled_nor_copied() -> None:
    handle = AddressHandle(Curve.ED25519, bytearray(SECRET))
    for duplicate in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be copied"):
            duplicate(handle)
