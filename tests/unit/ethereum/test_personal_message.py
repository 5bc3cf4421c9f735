import pytest

from signer.core.errors import SenderMismatchError, SignatureError
from signer.core.ethereum.personal_message import personal_message_hash
from signer.core.ethereum.signature import recover_address
from signer.core.ethereum.signing import sign_message_digest
from tests.harness.builders.ethereum import MemoryKey

KEY, OTHER = MemoryKey(b"\x01" * 32), MemoryKey(b"\x02" * 32)
DIGEST = personal_message_hash(b"hello")


class Faulty:
    """A key that flips one bit of every signature."""

    def sign(self, digest32: bytes) -> bytes:
        right = KEY.sign(digest32)
        return bytes([right[0] ^ 1]) + right[1:]


@pytest.mark.parametrize(
    ("message", "digest"),
    [
        (b"", "5f35dce98ba4fba25530a026ed80b2cecdaa31091ba4958b99b52ea1d068adad"),
        (b"hello", "50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750"),
    ],
)
def test_the_length_is_hashed_as_decimal_digits(message: bytes, digest: str) -> None:
    assert personal_message_hash(message).hex() == digest


def test_a_signature_ends_with_27_or_28_and_recovers() -> None:
    ends = set()
    for word in range(16):
        digest = personal_message_hash(bytes([word]))
        signature = sign_message_digest(digest, KEY, KEY.address)
        ends.add(signature[64])
        assert len(signature) == 65
        assert recover_address(digest, signature[:64] + bytes([signature[64] - 27])) == KEY.address
    assert ends == {27, 28}


def test_another_accounts_key_signs_nothing() -> None:
    with pytest.raises(SenderMismatchError, match="nothing was signed"):
        sign_message_digest(DIGEST, OTHER, KEY.address)


def test_a_fault_during_signing_returns_no_signature() -> None:
    with pytest.raises((SenderMismatchError, SignatureError)):
        sign_message_digest(DIGEST, Faulty(), KEY.address)
