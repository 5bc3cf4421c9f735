import pytest
from eth_account import Account
from hypothesis import assume, example, given
from hypothesis import strategies as st

from signer.core.errors import SignatureError, TransactionDecodingError
from signer.core.ethereum.encoding import encode, transaction_hash
from signer.core.ethereum.transaction import BlobTransaction, SetCodeTransaction, Transaction
from sixgate.cli.transaction_decoding import decode_of_any_chain, sender
from tests.harness.builders.ethereum import (
    EVERY_TYPE,
    SECRETS,
    TRANSACTIONS,
    MemoryKey,
    as_eth_account,
    signed_unchecked,
)
from tests.harness.sizes import effort

KEY = MemoryKey(b"\x01" * 32)
REFUSALS = (TransactionDecodingError, SignatureError)


@effort(1)
@given(TRANSACTIONS)
def test_decoding_undoes_encoding(tx: Transaction) -> None:
    signed = signed_unchecked(tx, KEY)
    decoded, signature = decode_of_any_chain(signed.raw)
    assert decoded == tx
    assert encode(decoded).signed(signature) == signed.raw


@effort(0.75)
@given(TRANSACTIONS, SECRETS)
def test_eth_account_signs_the_same_bytes(tx: Transaction, secret: bytes) -> None:
    assume(_taken_by_eth_account(tx))
    key = MemoryKey(secret)
    signed = signed_unchecked(tx, key)
    expected = Account.sign_transaction(as_eth_account(tx), secret)
    assert signed.raw == bytes(expected.raw_transaction)
    assert signed.hash == bytes(expected.hash)
    recovered = Account.recover_transaction(signed.raw)
    assert bytes.fromhex(recovered[2:]) == signed.sender == sender(signed.raw)


@effort(1)
@given(TRANSACTIONS, st.data())
def test_one_changed_bit_gives_a_transaction_of_no_known_sender(
    tx: Transaction, data: st.DataObject
) -> None:
    signed = signed_unchecked(tx, KEY)
    bit = data.draw(st.integers(0, 8 * len(signed.raw) - 1))
    _assert_forged(_flip(signed.raw, bit))


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_no_bit_of_any_type_can_be_changed(tx: Transaction) -> None:
    signed = signed_unchecked(tx, KEY)
    for bit in range(8 * len(signed.raw)):
        changed = _flip(signed.raw, bit)
        assert transaction_hash(changed) != signed.hash
        _assert_forged(changed)


@effort(1.5)
@given(st.sampled_from([b"", b"\x01", b"\x02", b"\x03", b"\x04"]), st.binary(max_size=200))
@example(b"", b"")
@example(b"\x02", b"\xc0")
def test_arbitrary_bytes_are_refused_or_re_encode(prefix: bytes, tail: bytes) -> None:
    _assert_refused_or_re_encoded(prefix + tail)


@effort(1.5)
@given(TRANSACTIONS, st.integers(0), st.integers(0), st.binary(max_size=4))
def test_spliced_bytes_are_refused_or_re_encode(
    tx: Transaction, start: int, length: int, patch: bytes
) -> None:
    raw = signed_unchecked(tx, KEY).raw
    start %= len(raw)
    spliced = raw[:start] + patch + raw[start + length % 5 :]
    assume(spliced != raw)
    _assert_refused_or_re_encoded(spliced)
    _assert_forged(spliced)


def _assert_refused_or_re_encoded(raw: bytes) -> None:
    try:
        tx, signature = decode_of_any_chain(raw)
    except REFUSALS:
        return
    assert encode(tx).signed(signature) == raw


def _taken_by_eth_account(tx: Transaction) -> bool:
    """Return whether eth-account signs it; it validates the lists of types 3 and 4."""
    if isinstance(tx, BlobTransaction):
        hashes = tx.blob_versioned_hashes
        return bool(hashes) and all(versioned[0] == 1 for versioned in hashes)
    if isinstance(tx, SetCodeTransaction):
        entries = tx.authorization_list
        return bool(entries) and all(signed.signature[64] <= 1 for signed in entries)
    return True


def _flip(raw: bytes, bit: int) -> bytes:
    index, mask = bit // 8, 1 << bit % 8
    return raw[:index] + bytes([raw[index] ^ mask]) + raw[index + 1 :]


def _assert_forged(changed: bytes) -> None:
    """Assert that bytes which the key did not sign do not recover to it."""
    try:
        recovered = sender(changed)
    except REFUSALS:
        return
    if recovered == KEY.address:
        pytest.fail(f"{changed.hex()} passes for a transaction of the key")
