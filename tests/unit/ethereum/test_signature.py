import pytest
from coincurve import PublicKey
from hypothesis import given
from hypothesis import strategies as st

from signer.core.errors import SignatureError
from signer.core.ethereum.signature import check_signature, recover_address
from signer.keys.addresses.derivation import address_of
from tests.harness.builders.ethereum import MemoryKey

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER = ORDER // 2
DIGEST = bytes(range(32))


def _signature(r: int = 1, s: int = 1, y_parity: int = 0) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([y_parity])


@pytest.mark.parametrize(
    "signature",
    [_signature(r=ORDER - 1), _signature(s=HALF_ORDER), _signature(y_parity=1)],
    ids=["greatest r", "greatest s", "odd y"],
)
def test_the_largest_valid_values_pass(signature: bytes) -> None:
    check_signature(signature)


@pytest.mark.parametrize(
    ("signature", "location"),
    [
        (b"", "signature"),
        (_signature()[:64], "signature"),
        (_signature() + b"\x00", "signature"),
        (_signature(r=0), "signature.r"),
        (_signature(r=ORDER), "signature.r"),
        (_signature(r=2**256 - 1), "signature.r"),
        (_signature(s=0), "signature.s"),
        (_signature(s=HALF_ORDER + 1), "signature.s"),
        (_signature(s=ORDER - 1), "signature.s"),
        (_signature(y_parity=2), "signature.y_parity"),
        (_signature(y_parity=27), "signature.y_parity"),
    ],
)
def test_an_invalid_signature_is_rejected_with_the_wrong_part(
    signature: bytes, location: str
) -> None:
    with pytest.raises(SignatureError) as refusal:
        check_signature(signature)
    assert refusal.value.location == location


def test_the_signer_is_recovered() -> None:
    key = MemoryKey(b"\x01" * 32)
    assert recover_address(DIGEST, key.sign(DIGEST)) == key.address


def test_a_malleated_signature_is_rejected() -> None:
    signature = MemoryKey(b"\x01" * 32).sign(DIGEST)
    s = ORDER - int.from_bytes(signature[32:64], "big")
    with pytest.raises(SignatureError):
        recover_address(DIGEST, signature[:32] + s.to_bytes(32, "big") + bytes([signature[64] ^ 1]))


def test_an_r_off_the_curve_recovers_no_key() -> None:
    with pytest.raises(SignatureError) as refusal:
        recover_address(DIGEST, _signature(r=5))  # 5^3 + 7 is no square modulo p
    assert refusal.value.location == "signature"


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=65, max_size=65))
def test_recovery_agrees_with_coincurve(digest: bytes, drawn: bytes) -> None:
    # Halved, s is low; most drawn values recover to an unknown key.
    s = bytes([drawn[32] & 0x3F]) + drawn[33:64]
    signature = drawn[:32] + s + bytes([drawn[64] & 1])
    try:
        expected = PublicKey.from_signature_and_message(signature, digest, hasher=None)
    except ValueError:
        with pytest.raises(SignatureError):
            recover_address(digest, signature)
        return
    assert recover_address(digest, signature) == address_of(expected.format(compressed=False))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_digest_of_the_wrong_length_is_rejected(length: int) -> None:
    with pytest.raises(SignatureError, match="32 bytes"):
        recover_address(bytes(length), MemoryKey(b"\x01" * 32).sign(DIGEST))
