import re
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest

from signer.core.errors import EthereumError, SignatureError, TransactionEncodingError
from signer.core.ethereum.encoding import LEGACY as LEGACY_ROW
from signer.core.ethereum.encoding import (
    TRANSACTION_TYPES,
    TransactionFormat,
    encode,
    transaction_hash,
)
from signer.core.ethereum.keccak import keccak256
from signer.core.ethereum.transaction import Transaction
from tests.harness.builders.ethereum import (
    ACCESS,
    BLOBS,
    EVERY_TYPE,
    LEGACY,
    SET_CODE,
    TRANSFER,
    authorize,
)

SIGNATURE = bytes(31) + b"\x01" + bytes(31) + b"\x01" + b"\x00"
TO_AND_VALUE = ["94d8da6bf26964af9d7eed9e03e53415d37aa96045", "8806f05b59d3b20000", "80"]
CHAIN_AND_NONCE = ["822105", "07"]  # 8453, 7
GAS = ["825208"]
GAS_PRICE = ["843b9aca00"]
FEES = ["830f4240", "843b9aca00"]


@pytest.mark.parametrize("row", TRANSACTION_TYPES)
def test_the_table_lists_every_field_of_its_record_in_order(row: TransactionFormat) -> None:
    listed = [name for name, _ in row.fields] + (["chain_id"] if row is LEGACY_ROW else [])
    assert listed == [field.name for field in fields(row.record)]


def test_the_table_has_the_five_types_in_their_order() -> None:
    assert [row.number for row in TRANSACTION_TYPES] == [0, 1, 2, 3, 4]
    assert [row.record for row in TRANSACTION_TYPES] == [type(tx) for tx in EVERY_TYPE]


@pytest.mark.parametrize(
    ("tx", "prefix", "items"),
    [
        (LEGACY, "", ["07", *GAS_PRICE, *GAS, *TO_AND_VALUE, "822105", "80", "80"]),
        (ACCESS, "01", [*CHAIN_AND_NONCE, *GAS_PRICE, *GAS, *TO_AND_VALUE, "c0"]),
        (TRANSFER, "02", [*CHAIN_AND_NONCE, *FEES, *GAS, *TO_AND_VALUE, "c0"]),
        (
            replace(BLOBS, blob_versioned_hashes=()),
            "03",
            [*CHAIN_AND_NONCE, *FEES, *GAS, *TO_AND_VALUE, "c0", "843b9aca00", "c0"],
        ),
        (
            replace(SET_CODE, gas_limit=21_000, authorization_list=()),
            "04",
            [*CHAIN_AND_NONCE, *FEES, *GAS, *TO_AND_VALUE, "c0", "c0"],
        ),
    ],
)
def test_the_bytes_to_sign_follow_each_eip(tx: Transaction, prefix: str, items: list[str]) -> None:
    payload = bytes.fromhex("".join(items))
    assert encode(tx).unsigned() == bytes.fromhex(prefix) + bytes([0xC0 + len(payload)]) + payload


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_the_signature_is_appended_without_its_leading_zeros(tx: Transaction) -> None:
    v = "82422d" if tx is LEGACY else "80"  # 35 + 2 * 8453
    assert encode(tx).signed(SIGNATURE).endswith(bytes.fromhex(v + "01" + "01"))


def test_hashes_are_keccak_of_the_encoded_bytes() -> None:
    encoding = encode(TRANSFER)
    raw = encoding.signed(SIGNATURE)
    assert encoding.signing_hash() == keccak256(encoding.unsigned())
    assert transaction_hash(raw) == keccak256(raw)


def test_keccak_uses_the_original_padding() -> None:
    empty = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"").hex() == empty


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_transactions_are_immutable(tx: Transaction) -> None:
    with pytest.raises(FrozenInstanceError):
        tx.value_wei = 0  # type: ignore[misc]  # the attack under test


@pytest.mark.parametrize(
    ("tx", "change", "location"),
    [
        (TRANSFER, {"chain_id": -1}, "chain_id"),
        (TRANSFER, {"nonce": 2**256}, "nonce"),
        (TRANSFER, {"value_wei": 2**256}, "value_wei"),
        (TRANSFER, {"value_wei": -1}, "value_wei"),
        (TRANSFER, {"to": b""}, "to"),
        (TRANSFER, {"to": bytes(19)}, "to"),
        (TRANSFER, {"to": bytes(32)}, "to"),
        (TRANSFER, {"access_list": ((bytes(19), ()),)}, "access_list[0].address"),
        (
            TRANSFER,
            {"access_list": ((bytes(20), ()), (bytes(20), (bytes(32), bytes(33))))},
            "access_list[1].storage_keys[1]",
        ),
        (LEGACY, {"chain_id": 0}, "chain_id"),
        (LEGACY, {"chain_id": -1}, "chain_id"),
        (LEGACY, {"chain_id": 2**255}, "chain_id"),
        (BLOBS, {"to": None}, "to"),
        (BLOBS, {"blob_versioned_hashes": (bytes(32), bytes(31))}, "blob_versioned_hashes[1]"),
        (SET_CODE, {"to": None}, "to"),
        (
            SET_CODE,
            {"authorization_list": (replace(authorize(), signature=bytes(64)),)},
            "authorization_list[0].signature",
        ),
        (
            SET_CODE,
            {
                "authorization_list": (
                    authorize(),
                    replace(
                        authorize(),
                        authorization=replace(authorize().authorization, address=bytes(19)),
                    ),
                )
            },
            "authorization_list[1].address",
        ),
    ],
)
def test_a_value_that_does_not_decode_is_not_encoded(
    tx: Transaction, change: dict[str, Any], location: str
) -> None:
    with pytest.raises(TransactionEncodingError) as refusal:
        encode(replace(tx, **change))
    assert refusal.value.location == location


@pytest.mark.parametrize("tx", EVERY_TYPE)
def test_an_invalid_signature_is_not_encoded(tx: Transaction) -> None:
    with pytest.raises(SignatureError):
        encode(tx).signed(SIGNATURE[:64] + b"\x1b")


def test_every_error_is_an_ethereum_error_with_place_and_reason() -> None:
    with pytest.raises(EthereumError) as refusal:
        encode(replace(TRANSFER, to=bytes(3)))
    assert refusal.value.location == "to"
    assert re.findall(r"\d+", refusal.value.reason) == ["3", "20"]
    assert str(refusal.value) == f"to {refusal.value.reason}"
