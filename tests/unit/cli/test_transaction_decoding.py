from dataclasses import replace

import pytest
import rlp
from rlp.codec import length_prefix

from signer.core.errors import EthereumError, SignatureError, TransactionDecodingError
from signer.core.ethereum.encoding import encode
from signer.core.ethereum.transaction import MAX_TRANSACTION_BYTES, Transaction
from sixgate.cli.transaction_decoding import decode_of_any_chain, sender
from tests.harness.builders.ethereum import (
    ACCESS,
    BLOBS,
    EVERY_TYPE,
    LEGACY,
    RECIPIENT,
    SET_CODE,
    TRANSFER,
    MemoryKey,
    signed_unchecked,
)

KEY = MemoryKey(b"\x01" * 32)
TX = replace(TRANSFER, access_list=((bytes(20), (bytes(32),)),))
UNSIGNED = encode(TX).unsigned()
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def _signed(tx: Transaction) -> bytes:
    return signed_unchecked(tx, KEY).raw


SIGNED = _signed(TX)
# Index of each item in the list of each type.
CHAIN_ID, NONCE, TO, VALUE, DATA, ACCESS_LIST, Y_PARITY, R, S = 0, 1, 5, 6, 7, 8, 9, 10, 11
BLOB_FEE, BLOB_HASHES, AUTHORIZATIONS = 9, 10, 9
LEGACY_NONCE, LEGACY_TO, LEGACY_V = 0, 3, 6
BERLIN_TO, BERLIN_ACCESS_LIST = 4, 7
ENTRY = rlp.decode(_signed(SET_CODE)[1:])[AUTHORIZATIONS][0]


def _prefix(raw: bytes) -> bytes:
    return raw[:1] if raw[0] < 0xC0 else b""


def _with_item(raw: bytes, index: int, item: object) -> bytes:
    prefix = _prefix(raw)
    items = rlp.decode(raw[len(prefix) :])
    items[index] = item
    return prefix + bytes(rlp.encode(items))


def _entry(index: int, item: object) -> list[object]:
    return [*ENTRY[:index], item, *ENTRY[index + 1 :]]


def _list(payload: bytes) -> bytes:
    return bytes(length_prefix(len(payload), 0xC0)) + payload


def _nested(depth: int) -> bytes:
    headers: list[bytes] = []
    length = 0
    for _ in range(depth):
        headers.append(length_prefix(length, 0xC0))
        length += len(headers[-1])
    return b"".join(reversed(headers))


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_a_signed_transaction_decodes_to_its_fields(tx: Transaction) -> None:
    raw = _signed(tx)
    decoded, signature = decode_of_any_chain(raw)
    assert decoded == tx
    assert signature == KEY.sign(encode(tx).signing_hash())
    assert sender(raw) == KEY.address


@pytest.mark.parametrize(
    ("tx", "index", "item", "location"),
    [
        (TX, CHAIN_ID, b"\x00\x01", "chain_id"),
        (TX, NONCE, b"\x00", "nonce"),
        (TX, NONCE, [], "nonce"),
        (TX, VALUE, b"\x01" + bytes(32), "value_wei"),
        (TX, TO, bytes(19), "to"),
        (TX, TO, bytes(21), "to"),
        (TX, TO, [], "to"),
        (TX, DATA, [b"\x01"], "data"),
        (TX, ACCESS_LIST, b"", "access_list"),
        (TX, ACCESS_LIST, [b""], "access_list[0]"),
        (TX, ACCESS_LIST, [[bytes(20)]], "access_list[0]"),
        (TX, ACCESS_LIST, [[bytes(20), [], []]], "access_list[0]"),
        (TX, ACCESS_LIST, [[bytes(19), []]], "access_list[0].address"),
        (TX, ACCESS_LIST, [[bytes(20), b""]], "access_list[0].storage_keys"),
        (TX, ACCESS_LIST, [[bytes(20), [bytes(31)]]], "access_list[0].storage_keys[0]"),
        (TX, ACCESS_LIST, [[bytes(20), []], [bytes(20), [[]]]], "access_list[1].storage_keys[0]"),
        (LEGACY, LEGACY_NONCE, b"\x00", "nonce"),
        (LEGACY, LEGACY_TO, bytes(19), "to"),
        (ACCESS, BERLIN_TO, bytes(19), "to"),
        (ACCESS, BERLIN_ACCESS_LIST, b"", "access_list"),
        (BLOBS, TO, b"", "to"),
        (BLOBS, BLOB_FEE, b"\x00", "max_fee_per_blob_gas_wei"),
        (BLOBS, BLOB_HASHES, b"", "blob_versioned_hashes"),
        (BLOBS, BLOB_HASHES, [bytes(32), bytes(31)], "blob_versioned_hashes[1]"),
        (SET_CODE, TO, b"", "to"),
        (SET_CODE, AUTHORIZATIONS, b"", "authorization_list"),
        (SET_CODE, AUTHORIZATIONS, [ENTRY, b""], "authorization_list[1]"),
        (SET_CODE, AUTHORIZATIONS, [ENTRY[:5]], "authorization_list[0]"),
        (SET_CODE, AUTHORIZATIONS, [_entry(0, b"\x00")], "authorization_list[0].chain_id"),
        (SET_CODE, AUTHORIZATIONS, [_entry(1, b"")], "authorization_list[0].address"),
        (SET_CODE, AUTHORIZATIONS, [_entry(2, [])], "authorization_list[0].nonce"),
        (
            SET_CODE,
            AUTHORIZATIONS,
            [_entry(3, b"\x01\x00")],
            "authorization_list[0].signature.y_parity",
        ),
        (SET_CODE, AUTHORIZATIONS, [_entry(4, bytes(32))], "authorization_list[0].signature.r"),
        (
            SET_CODE,
            AUTHORIZATIONS,
            [_entry(5, b"\x01" + bytes(32))],
            "authorization_list[0].signature.s",
        ),
    ],
)
def test_a_malformed_field_is_rejected_with_its_place(
    tx: Transaction, index: int, item: object, location: str
) -> None:
    for decode in (decode_of_any_chain, sender):
        with pytest.raises(TransactionDecodingError) as refusal:
            decode(_with_item(_signed(tx), index, item))
        assert refusal.value.location == location


@pytest.mark.parametrize(
    ("index", "item", "location"),
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
def test_a_malformed_signature_is_rejected_with_its_place(
    index: int, item: object, location: str
) -> None:
    with pytest.raises((TransactionDecodingError, SignatureError)) as refusal:
        decode_of_any_chain(_with_item(SIGNED, index, item))
    assert refusal.value.location == location


@pytest.mark.parametrize("v", [27, 28])
def test_a_legacy_transaction_without_a_chain_id_is_rejected_as_replayable(
    v: int,
) -> None:
    with pytest.raises(TransactionDecodingError, match="chain id") as refusal:
        decode_of_any_chain(_with_item(_signed(LEGACY), LEGACY_V, bytes([v])))
    assert refusal.value.location == "signature.v"


@pytest.mark.parametrize(
    "v",
    [
        b"",
        b"\x01",
        bytes([29]),
        bytes([34]),
        bytes([35]),
        bytes([36]),
        b"\xff" * 32,
        b"\x00\x25",
        [],
    ],
)
def test_a_v_without_a_chain_id_is_rejected(v: object) -> None:
    with pytest.raises(TransactionDecodingError) as refusal:
        decode_of_any_chain(_with_item(_signed(LEGACY), LEGACY_V, v))
    assert refusal.value.location == "signature.v"


@pytest.mark.parametrize("v", [37, 38, 2**64, 2**255])
def test_v_encodes_chain_id_and_parity(v: int) -> None:
    tx, signature = decode_of_any_chain(
        _with_item(_signed(LEGACY), LEGACY_V, v.to_bytes((v.bit_length() + 7) // 8, "big"))
    )
    assert 35 + 2 * tx.chain_id + signature[64] == v


def _long_form(raw: bytes) -> bytes:
    """Encode the one-byte nonce 0x07 as a string of length one."""
    return raw[:1] + _list(raw[3:].replace(b"\x82\x21\x05\x07", b"\x82\x21\x05\x81\x07", 1))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x02",
        b"\x02\x80",
        b"\x02\xc0",
        b"\xc0",
        b"\x80",
        UNSIGNED,
        SIGNED + b"\x00",
        SIGNED[:-1],
        SIGNED * 2,
        SIGNED[1:],
        b"\x00" + SIGNED[1:],
        b"\x01" + SIGNED[1:],
        b"\x03" + SIGNED[1:],
        b"\x04" + SIGNED[1:],
        b"\x05" + SIGNED[1:],
        b"\x02" + _list(SIGNED[1:]),
        b"\x02\xf9\x00" + SIGNED[2:],
        _long_form(SIGNED),
        b"\x02\xbf" + b"\xff" * 8,
        b"\x02\xff" + b"\xff" * 8,
        encode(LEGACY).unsigned(),
        b"\x00" + _signed(LEGACY),
        b"\x02" + _signed(LEGACY),
        _signed(LEGACY)[:-1],
        _signed(LEGACY) + b"\x00",
        # The network form of a blob transaction, with its blobs.
        b"\x03" + rlp.encode([rlp.decode(_signed(BLOBS)[1:]), [], [], []]),
    ],
)
def test_bytes_that_are_not_a_signed_transaction_are_rejected(raw: bytes) -> None:
    with pytest.raises((TransactionDecodingError, SignatureError)):
        decode_of_any_chain(raw)


@pytest.mark.parametrize("depth", [10, 500, 5_000, 30_000])
@pytest.mark.parametrize("prefix", [b"", b"\x02"])
def test_deeply_nested_lists_are_rejected(prefix: bytes, depth: int) -> None:
    with pytest.raises(TransactionDecodingError, match="transaction nests"):
        decode_of_any_chain(prefix + _nested(depth))


def test_bytes_over_the_size_limit_are_rejected_before_decoding() -> None:
    with pytest.raises(TransactionDecodingError, match=str(MAX_TRANSACTION_BYTES)):
        decode_of_any_chain(b"\x02" + bytes(MAX_TRANSACTION_BYTES))


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_no_prefix_of_a_signed_transaction_decodes(tx: Transaction) -> None:
    raw = _signed(tx)
    for length in range(len(raw)):
        with pytest.raises(EthereumError):
            decode_of_any_chain(raw[:length])


@pytest.mark.parametrize("tx", [replace(LEGACY, to=None), replace(ACCESS, to=None)])
def test_a_transaction_without_recipient_is_a_creation(tx: Transaction) -> None:
    assert decode_of_any_chain(_signed(tx))[0] == tx != replace(tx, to=RECIPIENT)
