from dataclasses import replace

import pytest
import rlp
from rlp.codec import length_prefix

from signer.ethereum.decoding import decode_signed, decode_unsigned, sender
from signer.ethereum.errors import EthereumError, SignatureError, TransactionDecodingError
from signer.ethereum.signing import sign_transaction
from signer.ethereum.transaction import MAX_TRANSACTION_BYTES, signing_hash, unsigned_bytes
from tests.support.ethereum import TRANSFER, MemoryKey

KEY = MemoryKey(b"\x01" * 32)
TX = replace(TRANSFER, access_list=((bytes(20), (bytes(32),)),))
UNSIGNED = unsigned_bytes(TX)
SIGNED = sign_transaction(TX, KEY, KEY.address).raw
CHAIN_ID, NONCE, TO, VALUE, DATA, ACCESS_LIST, Y_PARITY, R, S = 0, 1, 5, 6, 7, 8, 9, 10, 11
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _with_item(raw: bytes, index: int, item: object) -> bytes:
    items = rlp.decode(raw[1:])
    items[index] = item
    return raw[:1] + bytes(rlp.encode(items))


def _list(payload: bytes) -> bytes:
    return bytes(length_prefix(len(payload), 0xC0)) + payload


def _nested(depth: int) -> bytes:
    headers: list[bytes] = []
    length = 0
    for _ in range(depth):
        headers.append(length_prefix(length, 0xC0))
        length += len(headers[-1])
    return b"".join(reversed(headers))


def test_what_was_signed_is_read_back() -> None:
    assert decode_unsigned(UNSIGNED) == TX
    decoded, signature = decode_signed(SIGNED)
    assert decoded == TX
    assert signature == KEY.sign(signing_hash(TX))
    assert sender(SIGNED) == KEY.address


@pytest.mark.parametrize(
    ("index", "item", "place"),
    [
        (CHAIN_ID, b"\x00\x01", "chain_id"),
        (NONCE, b"\x00", "nonce"),
        (NONCE, [], "nonce"),
        (VALUE, b"\x01" + bytes(32), "value_wei"),
        (TO, bytes(19), "to"),
        (TO, bytes(21), "to"),
        (TO, [], "to"),
        (DATA, [b"\x01"], "data"),
        (ACCESS_LIST, b"", "access_list"),
        (ACCESS_LIST, [b""], "access_list[0]"),
        (ACCESS_LIST, [[bytes(20)]], "access_list[0]"),
        (ACCESS_LIST, [[bytes(20), [], []]], "access_list[0]"),
        (ACCESS_LIST, [[bytes(19), []]], "access_list[0].address"),
        (ACCESS_LIST, [[bytes(20), b""]], "access_list[0].storage_keys"),
        (ACCESS_LIST, [[bytes(20), [bytes(31)]]], "access_list[0].storage_keys[0]"),
        (ACCESS_LIST, [[bytes(20), []], [bytes(20), [[]]]], "access_list[1].storage_keys[0]"),
    ],
)
def test_a_field_of_another_form_is_refused_where_it_is(
    index: int, item: object, place: str
) -> None:
    for decode, raw in ((decode_unsigned, UNSIGNED), (decode_signed, SIGNED), (sender, SIGNED)):
        with pytest.raises(TransactionDecodingError) as refusal:
            decode(_with_item(raw, index, item))
        assert refusal.value.place == place


@pytest.mark.parametrize(
    ("index", "item", "place"),
    [
        (Y_PARITY, b"\x02", "signature.y_parity"),
        (Y_PARITY, b"\x1b", "signature.y_parity"),
        (Y_PARITY, b"\x01\x00", "signature.y_parity"),
        (Y_PARITY, b"\x00", "signature.y_parity"),
        (R, b"", "signature.r"),
        (R, b"\x00" + bytes(31), "signature.r"),
        (R, b"\x01" + bytes(32), "signature.r"),
        (R, ORDER.to_bytes(32, "big"), "signature.r"),
        (S, b"", "signature.s"),
        (S, (ORDER - 1).to_bytes(32, "big"), "signature.s"),
        (S, (ORDER // 2 + 1).to_bytes(32, "big"), "signature.s"),
        (S, [], "signature.s"),
    ],
)
def test_a_signature_of_another_form_is_refused_where_it_is(
    index: int, item: object, place: str
) -> None:
    with pytest.raises((TransactionDecodingError, SignatureError)) as refusal:
        decode_signed(_with_item(SIGNED, index, item))
    assert refusal.value.place == place


def _long_form(raw: bytes) -> bytes:
    """Spell the one-byte nonce 0x07 as a string of length one."""
    return raw[:1] + _list(raw[3:].replace(b"\x82\x21\x05\x07", b"\x82\x21\x05\x81\x07", 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x02",
        b"\x02\x80",
        b"\x02\xc0",
        b"\x00" + UNSIGNED[1:],
        b"\x01" + UNSIGNED[1:],
        UNSIGNED[1:],
        UNSIGNED + b"\x00",
        UNSIGNED[:-1],
        SIGNED,
        b"\x02" + _list(UNSIGNED[1:]),
        b"\x02\xf9\x00" + UNSIGNED[2:],
        _long_form(UNSIGNED),
        b"\x02\xbf" + b"\xff" * 8,
        b"\x02\xff" + b"\xff" * 8,
    ],
)
def test_bytes_that_are_no_unsigned_transaction_are_refused(raw: bytes) -> None:
    with pytest.raises(TransactionDecodingError):
        decode_unsigned(raw)


@pytest.mark.parametrize(
    "raw", [UNSIGNED, SIGNED + b"\x00", SIGNED[:-1], SIGNED * 2, SIGNED[1:], b"\x03" + SIGNED[1:]]
)
def test_bytes_that_are_no_signed_transaction_are_refused(raw: bytes) -> None:
    with pytest.raises(TransactionDecodingError):
        decode_signed(raw)


@pytest.mark.parametrize("depth", [10, 500, 5_000, 30_000])
def test_lists_nested_to_exhaust_the_stack_are_refused(depth: int) -> None:
    with pytest.raises(TransactionDecodingError, match="nests lists deeper"):
        decode_signed(b"\x02" + _nested(depth))


def test_bytes_beyond_the_limit_are_refused_unread() -> None:
    with pytest.raises(TransactionDecodingError, match=str(MAX_TRANSACTION_BYTES)):
        decode_unsigned(b"\x02" + bytes(MAX_TRANSACTION_BYTES))


def test_no_prefix_of_a_signed_transaction_is_one() -> None:
    for length in range(len(SIGNED)):
        with pytest.raises(EthereumError):
            decode_signed(SIGNED[:length])
