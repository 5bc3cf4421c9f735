from dataclasses import FrozenInstanceError, fields, replace

import pytest

from signer.ethereum.errors import EthereumError, SignatureError, TransactionEncodingError
from signer.ethereum.keccak import keccak256
from signer.ethereum.transaction import (
    TRANSACTION_TYPES,
    TransactionType,
    signed_bytes,
    signing_hash,
    transaction_hash,
    unsigned_bytes,
)
from tests.support.ethereum import TRANSFER

SIGNATURE = bytes(31) + b"\x01" + bytes(31) + b"\x01" + b"\x00"


@pytest.mark.parametrize("row", TRANSACTION_TYPES)
def test_the_table_lists_every_field_of_its_record_in_order(row: TransactionType) -> None:
    assert [name for name, _ in row.fields] == [field.name for field in fields(row.record)]


def test_the_unsigned_transfer_is_laid_out_as_eip_1559_says() -> None:
    items = [
        "822105",  # chain id 8453
        "07",
        "830f4240",
        "843b9aca00",
        "825208",
        "94d8da6bf26964af9d7eed9e03e53415d37aa96045",
        "8806f05b59d3b20000",
        "80",
        "c0",
    ]
    payload = bytes.fromhex("".join(items))
    assert unsigned_bytes(TRANSFER) == b"\x02" + bytes([0xC0 + len(payload)]) + payload


def test_the_signature_is_appended_without_its_leading_zeros() -> None:
    raw = signed_bytes(TRANSFER, SIGNATURE)
    assert raw.endswith(bytes.fromhex("80c0" + "80" + "01" + "01"))


def test_hashes_are_keccak_of_the_bytes_they_name() -> None:
    raw = signed_bytes(TRANSFER, SIGNATURE)
    assert signing_hash(TRANSFER) == keccak256(unsigned_bytes(TRANSFER))
    assert transaction_hash(raw) == keccak256(raw)


def test_keccak_is_the_original_padding_not_sha3() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == empty


def test_a_transaction_cannot_be_changed_after_it_was_checked() -> None:
    with pytest.raises(FrozenInstanceError):
        TRANSFER.value_wei = 0  # type: ignore[misc]  # the attack under test


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"chain_id": -1}, "chain_id"),
        ({"nonce": 2**256}, "nonce"),
        ({"value_wei": 2**256}, "value_wei"),
        ({"value_wei": -1}, "value_wei"),
        ({"to": b""}, "to"),
        ({"to": bytes(19)}, "to"),
        ({"to": bytes(32)}, "to"),
        ({"access_list": ((bytes(19), ()),)}, "access_list[0].address"),
        (
            {"access_list": ((bytes(20), ()), (bytes(20), (bytes(32), bytes(33))))},
            "access_list[1].storage_keys[1]",
        ),
    ],
)
def test_a_value_that_could_not_be_read_back_is_not_written(
    change: dict[str, object], place: str
) -> None:
    with pytest.raises(TransactionEncodingError) as refusal:
        unsigned_bytes(replace(TRANSFER, **change))  # type: ignore[arg-type]  # one of many fields
    assert refusal.value.place == place


def test_a_signature_that_ethereum_refuses_is_not_attached() -> None:
    with pytest.raises(SignatureError):
        signed_bytes(TRANSFER, SIGNATURE[:64] + b"\x1b")


def test_every_refusal_is_of_one_family_with_a_place_and_a_reason() -> None:
    with pytest.raises(EthereumError) as refusal:
        unsigned_bytes(replace(TRANSFER, to=bytes(3)))
    assert (refusal.value.place, refusal.value.reason) == ("to", "is 3 bytes; it needs 20.")
    assert str(refusal.value) == "to is 3 bytes; it needs 20."
