from dataclasses import replace
from typing import Any

import pytest
from eth_account import Account

from signer.core.errors import (
    InvalidTransactionError,
    SenderMismatchError,
    SignatureError,
    TransactionDecodingError,
    TransactionEncodingError,
)
from signer.core.ethereum.authorization import SignedAuthorization
from signer.core.ethereum.encoding import encode, transaction_hash
from signer.core.ethereum.signing import DigestSigner, sign_digest, sign_transaction
from signer.core.ethereum.transaction import Transaction
from signer.core.ethereum.validation import ValidTransaction
from sixgate.cli.transaction_decoding import decode_signed, sender
from tests.harness.builders.ethereum import (
    EVERY_TYPE,
    SET_CODE,
    TRANSFER,
    MemoryKey,
    as_eth_account,
)

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
    signed = sign_transaction(ValidTransaction(tx), KEY, KEY.address)
    expected = Account.sign_transaction(as_eth_account(tx), SECRET)
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.hash == bytes(expected.hash) == transaction_hash(signed.raw)
    assert signed.sender == KEY.address == sender(signed.raw)
    assert decode_signed(signed.raw, tx.chain_id)[0] == tx


def test_signing_twice_gives_the_same_bytes() -> None:
    first = sign_transaction(ValidTransaction(TRANSFER), KEY, KEY.address)
    assert sign_transaction(ValidTransaction(TRANSFER), KEY, KEY.address) == first


def test_another_accounts_key_raises_and_returns_no_transaction() -> None:
    with pytest.raises(SenderMismatchError) as failure:
        sign_transaction(ValidTransaction(TRANSFER), MemoryKey(b"\x02" * 32), KEY.address)
    assert KEY.address.hex() in str(failure.value)


@pytest.mark.parametrize("address", [b"", KEY.address[:-1], KEY.address + b"\x00"])
def test_an_address_of_the_wrong_length_never_matches(address: bytes) -> None:
    with pytest.raises(SenderMismatchError):
        sign_transaction(ValidTransaction(TRANSFER), KEY, address)


def test_a_signature_over_another_digest_raises() -> None:
    with pytest.raises((SenderMismatchError, SignatureError)):
        sign_transaction(ValidTransaction(TRANSFER), Scripted(KEY.sign(bytes(32))), KEY.address)


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
        sign_transaction(ValidTransaction(TRANSFER), key, KEY.address)


def test_a_flipped_bit_of_the_right_signature_raises() -> None:
    right = KEY.sign(encode(TRANSFER).signing_hash())
    for bit in range(8 * len(right)):
        faulty = (int.from_bytes(right, "big") ^ (1 << bit)).to_bytes(len(right), "big")
        with pytest.raises((SenderMismatchError, SignatureError)):
            sign_transaction(ValidTransaction(TRANSFER), Scripted(faulty), KEY.address)


def test_the_key_never_signs_a_transaction_that_cannot_be_encoded() -> None:
    with pytest.raises(TransactionEncodingError):
        sign_transaction(
            ValidTransaction(replace(TRANSFER, value_wei=2**256)), Untouchable(), KEY.address
        )


class Untouchable:
    """A key that fails the test if anything asks it to sign."""

    def sign(self, _digest32: bytes, /) -> bytes:
        pytest.fail("the key was used")


class Unchecked(ValidTransaction):
    """A subclass that skips the checks, as an attacker with code in the process would try."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "encoding", encode(self.transaction))


BROKEN = {
    "no gas": replace(TRANSFER, gas_limit=0),
    "gas below the intrinsic cost": replace(TRANSFER, gas_limit=20_999),
    "a nonce that ends the account": replace(TRANSFER, nonce=2**64 - 1),
    "no chain, replayed on every chain": replace(TRANSFER, chain_id=0),
    "a priority fee above the maximum": replace(TRANSFER, max_priority_fee_per_gas_wei=2**40),
    "a cost above all ether": replace(TRANSFER, max_fee_per_gas_wei=2**255, gas_limit=2**60),
}
ANY: Any = TRANSFER
ANY_SET_CODE: Any = SET_CODE
ANY_TEXT: Any = "a"
WRONG_TYPES: dict[str, Any] = {
    "text instead of a transaction": "transfer",
    "nothing": None,
    "the number one as a switch": replace(ANY, nonce=True),
    "a nonce as text": replace(ANY, nonce="1"),
    "bytes that change after the check": replace(ANY, data=bytearray(b"\x01")),
    "an address as text": replace(ANY, to="0x" + "11" * 20),
    "a list that grows after the check": replace(ANY, access_list=[]),
    "an access list of text": replace(ANY, access_list=("0x11",)),
    "authorizations of text": replace(ANY_SET_CODE, authorization_list=("0x11",)),
    "an authorization of text": replace(
        ANY_SET_CODE, authorization_list=(SignedAuthorization(ANY_TEXT, b"b"),)
    ),
}


@pytest.mark.parametrize("tx", BROKEN.values(), ids=BROKEN)
def test_a_transaction_that_breaks_the_protocol_never_becomes_valid(tx: Transaction) -> None:
    with pytest.raises(InvalidTransactionError):
        ValidTransaction(tx)
    with pytest.raises(TransactionEncodingError):
        sign_transaction(tx, Untouchable(), KEY.address)  # type: ignore[arg-type] # the attack


@pytest.mark.parametrize("made", WRONG_TYPES.values(), ids=WRONG_TYPES)
def test_a_value_of_a_wrong_type_raises_the_error_of_the_package(made: Any) -> None:
    with pytest.raises(TransactionEncodingError):
        ValidTransaction(made)
    with pytest.raises(TransactionEncodingError):
        sign_transaction(made, Untouchable(), KEY.address)


def test_a_subclass_that_skips_the_checks_is_not_signed() -> None:
    with pytest.raises(TransactionEncodingError):
        sign_transaction(Unchecked(BROKEN["no gas"]), Untouchable(), KEY.address)


def test_a_valid_transaction_cannot_be_exchanged_for_another() -> None:
    valid: Any = ValidTransaction(TRANSFER)
    with pytest.raises(AttributeError):
        valid.transaction = BROKEN["no gas"]
    with pytest.raises(InvalidTransactionError):
        replace(valid, transaction=BROKEN["no gas"])


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33), "0x" + "11" * 32, bytearray(32)])
def test_a_key_is_not_used_for_anything_but_a_digest(digest: Any) -> None:
    with pytest.raises(SignatureError):
        sign_digest(digest, Untouchable(), KEY.address)


@pytest.mark.parametrize("answer", [None, "0x11", bytearray(65)])
def test_an_answer_of_a_key_of_a_wrong_type_raises_the_error_of_the_package(answer: Any) -> None:
    with pytest.raises(SignatureError):
        sign_transaction(ValidTransaction(TRANSFER), Scripted(answer), KEY.address)


def test_a_sender_of_a_wrong_type_raises_before_the_key_is_used() -> None:
    with pytest.raises(SenderMismatchError):
        sign_transaction(ValidTransaction(TRANSFER), Untouchable(), "0x11")  # type: ignore[arg-type]


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_a_signed_transaction_of_another_chain_is_not_decoded(tx: Transaction) -> None:
    raw = sign_transaction(ValidTransaction(tx), KEY, KEY.address).raw
    for other in (0, 1, tx.chain_id + 1):
        with pytest.raises(TransactionDecodingError, match="chain_id"):
            decode_signed(raw, other)
