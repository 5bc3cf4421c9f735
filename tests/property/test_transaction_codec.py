import pytest
from eth_account import Account
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from signer.ethereum.decoding import decode_signed, decode_unsigned, sender
from signer.ethereum.errors import EthereumError, SignatureError, TransactionDecodingError
from signer.ethereum.signing import sign_transaction
from signer.ethereum.transaction import (
    FeeMarketTransaction,
    signed_bytes,
    transaction_hash,
    unsigned_bytes,
)
from tests.support.ethereum import SECRETS, TRANSACTIONS, TRANSFER, MemoryKey, as_eth_account

KEY = MemoryKey(b"\x01" * 32)
SIGNED = sign_transaction(TRANSFER, KEY, KEY.address)
REFUSALS = (TransactionDecodingError, SignatureError)


@settings(deadline=None, max_examples=300)
@given(TRANSACTIONS)
def test_decoding_undoes_encoding(tx: FeeMarketTransaction) -> None:
    unsigned = unsigned_bytes(tx)
    assert decode_unsigned(unsigned) == tx
    signed = sign_transaction(tx, KEY, KEY.address)
    decoded, signature = decode_signed(signed.raw)
    assert decoded == tx
    assert signed_bytes(decoded, signature) == signed.raw


@settings(deadline=None, max_examples=150)
@given(TRANSACTIONS, SECRETS)
def test_eth_account_signs_the_same_bytes(tx: FeeMarketTransaction, secret: bytes) -> None:
    key = MemoryKey(secret)
    signed = sign_transaction(tx, key, key.address)
    expected = Account.sign_transaction(as_eth_account(tx), secret)
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.hash == bytes(expected.hash)
    recovered = Account.recover_transaction(signed.raw)
    assert bytes.fromhex(recovered[2:]) == signed.sender == sender(signed.raw)


@settings(deadline=None, max_examples=300)
@given(TRANSACTIONS, st.data())
def test_one_changed_bit_is_another_transaction_of_nobody(
    tx: FeeMarketTransaction, data: st.DataObject
) -> None:
    signed = sign_transaction(tx, KEY, KEY.address)
    bit = data.draw(st.integers(0, 8 * len(signed.raw) - 1))
    _assert_forged(_flip(signed.raw, bit))


def test_no_bit_of_a_transfer_can_be_changed() -> None:
    for bit in range(8 * len(SIGNED.raw)):
        changed = _flip(SIGNED.raw, bit)
        assert transaction_hash(changed) != SIGNED.hash
        _assert_forged(changed)


@settings(deadline=None, max_examples=500)
@given(st.binary(max_size=200).map(lambda tail: b"\x02" + tail))
@example(b"")
@example(b"\x02\xc0")
def test_bytes_from_anywhere_are_refused_or_re_encode(raw: bytes) -> None:
    try:
        tx, signature = decode_signed(raw)
    except REFUSALS:
        return
    assert signed_bytes(tx, signature) == raw


@settings(deadline=None, max_examples=500)
@given(TRANSACTIONS, st.integers(0), st.integers(0), st.binary(max_size=4))
def test_spliced_bytes_are_refused_or_re_encode(
    tx: FeeMarketTransaction, start: int, length: int, patch: bytes
) -> None:
    raw = unsigned_bytes(tx)
    start %= len(raw)
    spliced = raw[:start] + patch + raw[start + length % 5 :]
    assume(spliced != raw)
    try:
        decoded = decode_unsigned(spliced)
    except EthereumError:
        return
    assert decoded != tx
    assert unsigned_bytes(decoded) == spliced


def _flip(raw: bytes, bit: int) -> bytes:
    index, mask = bit // 8, 1 << bit % 8
    return raw[:index] + bytes([raw[index] ^ mask]) + raw[index + 1 :]


def _assert_forged(changed: bytes) -> None:
    """Nothing recovers to the key from bytes it did not sign."""
    try:
        recovered = sender(changed)
    except REFUSALS:
        return
    if recovered == KEY.address:
        pytest.fail(f"{changed.hex()} passes for a transaction of the key")
