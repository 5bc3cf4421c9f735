"""Messages that could be mistaken for a hash or a transaction."""

import pytest
import rlp
from eth_account.messages import encode_typed_data

from signer.core.ethereum.encoding import encode
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.personal_message import mistakable_for
from tests.harness.builders.ethereum import RECIPIENT, TRANSFER, MemoryKey, signed_unchecked
from tests.harness.builders.typed_data import permit

KEY = MemoryKey(b"\x01" * 32)
HASH = keccak256(b"a user operation")
LEGACY = [b"\x07", b"\x3b\x9a\xca\x00", b"\x52\x08", RECIPIENT, b"\x01", b""]
_TYPED = encode_typed_data(full_message=permit())
TYPED_DATA = b"\x19\x01" + _TYPED.header + _TYPED.body
# Text, and a list of six items: the letter's first byte begins the list, its second is an item.
READABLE = "\u0180abcde"


@pytest.mark.parametrize(
    "message",
    [
        HASH,
        HASH.hex().encode(),
        HASH.hex().upper().encode(),
        b"0x" + HASH.hex().encode(),
        b"0X" + HASH.hex().upper().encode(),
        b" 0x" + HASH.hex().encode() + b"\n",
        b"\x00" * 32,
        b"Please sign in to our website!!!",
    ],
)
def test_a_hash_is_detected_in_every_spelling(message: bytes) -> None:
    assert mistakable_for(message) == "a hash of 32 bytes"


@pytest.mark.parametrize(
    "message",
    [
        TYPED_DATA,
        b"0x" + TYPED_DATA.hex().encode(),
        b"\x19\x01",
        b"\x19\x00" + RECIPIENT,
        b"\x19Ethereum Signed Message:\n32" + HASH,
        b"\x19",
    ],
)
def test_a_preimage_of_a_signed_digest_is_detected(message: bytes) -> None:
    assert mistakable_for(message) == "a pre-image of EIP-191 or EIP-712"


@pytest.mark.parametrize(
    "message",
    [
        encode(TRANSFER).unsigned(),
        signed_unchecked(TRANSFER, KEY).raw,
        b"0x" + encode(TRANSFER).unsigned().hex().encode(),
        encode(TRANSFER).unsigned().hex().encode(),
        encode(TRANSFER).unsigned()[:-1],
        *(bytes([kind]) + rlp.encode([b"\x01"] * 8) for kind in range(1, 6)),
        b"\x05" + rlp.encode([b"\x01", RECIPIENT, b""]),
        b"\x01\xc0",
        b"\x05\xc3\x01",
        b"\x7e" + rlp.encode([b"\xff" * 32, RECIPIENT, b"\x01"]),
    ],
)
def test_a_typed_transaction_or_authorization_is_detected(message: bytes) -> None:
    assert mistakable_for(message) == "an EIP-2718 transaction or an EIP-7702 authorization"


@pytest.mark.parametrize(
    "message",
    [
        rlp.encode(LEGACY),
        rlp.encode([*LEGACY, b"\x01", b"", b""]),
        rlp.encode([*LEGACY, b"\x25", b"\x11" * 32, b"\x22" * 32]),
        rlp.encode([b"\xff"]),
        b"\xc0",
        b"0x" + rlp.encode(LEGACY).hex().encode(),
        READABLE.encode(),
    ],
)
def test_a_legacy_transaction_is_detected(message: bytes) -> None:
    assert mistakable_for(message) == "a legacy transaction"


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"hello",
        b"0x",
        b"0x1234",
        HASH[:-1],
        HASH + b"\x01",
        HASH.hex().encode()[:-1],
        b"hash: " + HASH.hex().encode(),
        b"\x01",
        b"\x01hello",
        b"\x80",
        b"\xff" * 40,
        "été à la plage".encode(),
        "Подпишите это сообщение, чтобы войти".encode(),
        "登录请签名".encode(),
        "😀".encode() + b"x" * 45,
        "aé".encode(),
    ],
)
def test_text_in_any_script_is_accepted(message: bytes) -> None:
    assert mistakable_for(message) is None
