import pytest

from signer.custody import aead
from signer.custody.errors import CorruptError

KEY, NONCE = aead.load_key(bytes(range(32))), bytes(range(12))


def test_a_blob_is_its_header_its_nonce_and_what_gcm_makes() -> None:
    blob = aead.seal(KEY, NONCE, b"secret", b"aad")
    assert blob == b"\x01" + NONCE + aead.encrypt(KEY, NONCE, b"secret", b"\x01\x01aad")
    assert aead.unseal(KEY, blob, b"aad") == b"secret"


@pytest.mark.parametrize("aad", [b"ad", b"aad", b"aaad"])
def test_no_byte_wanders_from_the_aad_to_the_header(aad: bytes) -> None:
    blob = aead.seal(KEY, NONCE, b"secret", b"aad", b"\x01")
    with pytest.raises(CorruptError):
        aead.unseal(KEY, b"\x01a" + blob[1:], aad, b"\x01a")


@pytest.mark.parametrize("size_bytes", [0, 16, 24, 31, 33])
def test_another_key_size_is_refused_so_that_aes_128_cannot_slip_in(size_bytes: int) -> None:
    with pytest.raises(ValueError, match="key is 32 bytes"):
        aead.load_key(bytes(size_bytes))


@pytest.mark.parametrize("size_bytes", [0, 8, 11, 13, 16])
def test_another_nonce_size_is_refused(size_bytes: int) -> None:
    with pytest.raises(ValueError, match="nonce is 12 bytes"):
        aead.encrypt(KEY, bytes(size_bytes), b"", b"")
    with pytest.raises(ValueError, match="nonce is 12 bytes"):
        aead.decrypt(KEY, bytes(size_bytes), bytes(16), b"")


@pytest.mark.parametrize("size_bytes", range(29))
def test_a_blob_too_short_for_header_nonce_and_tag_is_typed(size_bytes: int) -> None:
    with pytest.raises(CorruptError):
        aead.unseal(KEY, aead.seal(KEY, NONCE, b"", b"")[:size_bytes], b"")
