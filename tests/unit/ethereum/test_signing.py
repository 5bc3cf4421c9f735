from dataclasses import replace

import pytest
from eth_account import Account

from signer.core.ethereum.decoding import decode_signed, sender
from signer.core.ethereum.encoding import encode, transaction_hash
from signer.core.ethereum.errors import (
    SenderMismatchError,
    SignatureError,
    TransactionEncodingError,
)
from signer.core.ethereum.signing import DigestSigner, sign_transaction
from signer.core.ethereum.transaction import Transaction
from tests.harness.builders.ethereum import EVERY_TYPE, TRANSFER, MemoryKey, as_eth_account

SECRET = b"\x01" * 32
KEY = MemoryKey(SECRET)
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Scripted:
    """A digest signer that returns what an attacker or a broken device would."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def sign(self, _digest32: bytes, /) -> bytes:
        return self._answer


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_each_type_is_signed_as_eth_account_signs_it(tx: Transaction) -> None:
    signed = sign_transaction(tx, KEY, KEY.address)
    expected = Account.sign_transaction(as_eth_account(tx), SECRET)
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.hash == bytes(expected.hash) == transaction_hash(signed.raw)
    assert signed.sender == KEY.address == sender(signed.raw)
    assert decode_signed(signed.raw)[0] == tx


def test_signing_twice_gives_the_same_bytes() -> None:
    first = sign_transaction(TRANSFER, KEY, KEY.address)
    assert sign_transaction(TRANSFER, KEY, KEY.address) == first


def test_another_accounts_key_raises_and_returns_no_transaction() -> None:
    with pytest.raises(SenderMismatchError) as failure:
        sign_transaction(TRANSFER, MemoryKey(b"\x02" * 32), KEY.address)
    assert KEY.address.hex() in str(failure.value)


@pytest.mark.parametrize("address", [b"", KEY.address[:-1], KEY.address + b"\x00"])
def test_an_address_of_the_wrong_length_never_matches(address: bytes) -> None:
    with pytest.raises(SenderMismatchError):
        sign_transaction(TRANSFER, KEY, address)


def test_a_signature_over_another_digest_raises() -> None:
    with pytest.raises((SenderMismatchError, SignatureError)):
        sign_transaction(TRANSFER, Scripted(KEY.sign(bytes(32))), KEY.address)


def _flawed_signers() -> list[DigestSigner]:
    right = KEY.sign(encode(TRANSFER).signing_hash())
    high_s = (ORDER - int.from_bytes(right[32:64], "big")).to_bytes(32, "big")
    answers = [
        b"",
        right[:64],
        right + b"\x00",
        bytes(65),
        right[:32] + high_s + bytes([right[64] ^ 1]),
        right[:64] + bytes([right[64] + 27]),
    ]
    return [Scripted(answer) for answer in answers]


@pytest.mark.parametrize(
    "key", _flawed_signers(), ids=["empty", "short", "long", "zero", "high s", "legacy v"]
)
def test_an_invalid_signature_raises(key: DigestSigner) -> None:
    with pytest.raises(SignatureError):
        sign_transaction(TRANSFER, key, KEY.address)


def test_a_flipped_bit_of_the_right_signature_raises() -> None:
    right = KEY.sign(encode(TRANSFER).signing_hash())
    for bit in range(8 * len(right)):
        faulty = (int.from_bytes(right, "big") ^ (1 << bit)).to_bytes(len(right), "big")
        with pytest.raises((SenderMismatchError, SignatureError)):
            sign_transaction(TRANSFER, Scripted(faulty), KEY.address)


def test_the_key_never_signs_a_transaction_that_cannot_be_encoded() -> None:
    class Untouchable:
        def sign(self, _digest32: bytes, /) -> bytes:
            pytest.fail("the key was used")

    with pytest.raises(TransactionEncodingError):
        sign_transaction(replace(TRANSFER, value_wei=2**256), Untouchable(), KEY.address)
