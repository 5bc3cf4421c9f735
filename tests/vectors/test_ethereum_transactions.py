"""Published transactions and addresses: ethers.js v6 and eth-account, byte for byte."""

from typing import Any

import pytest
from coincurve import PrivateKey

from signer.ethereum.address import address_of, checksum_address, parse_address
from signer.ethereum.decoding import decode_signed, decode_unsigned, sender
from signer.ethereum.signing import sign_transaction
from signer.ethereum.transaction import (
    FeeMarketTransaction,
    signed_bytes,
    signing_hash,
    unsigned_bytes,
)
from tests.support.ethereum import MemoryKey
from tests.support.vectors import load_vectors, report_cases

SIGNATURE_PARTS = (("r", 32), ("s", 32), ("v", 1))


def _number(value: str | int | None) -> int:
    return int(value, 16) if isinstance(value, str) else value or 0


def _bytes(value: str | None) -> bytes:
    return bytes.fromhex((value or "0x")[2:])


def _transaction(fields: dict[str, Any], gas: str) -> FeeMarketTransaction:
    """Read the JSON of ethers or web3; a field left out is zero or empty, as in both."""
    return FeeMarketTransaction(
        chain_id=_number(fields.get("chainId")),
        nonce=_number(fields.get("nonce")),
        max_priority_fee_per_gas_wei=_number(fields.get("maxPriorityFeePerGas")),
        max_fee_per_gas_wei=_number(fields.get("maxFeePerGas")),
        gas_limit=_number(fields.get(gas)),
        to=parse_address(fields["to"]) if fields.get("to") else None,
        value_wei=_number(fields.get("value")),
        data=_bytes(fields.get("data")),
        access_list=tuple(
            (parse_address(entry["address"]), tuple(map(_bytes, entry["storageKeys"])))
            for entry in fields.get("accessList") or ()
        ),
    )


def test_ethers_london_transactions_are_signed_and_read_back(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cases = [
        case for case in load_vectors("ethers-v6/transactions.json.gz") if case["signedLondon"]
    ]
    for case in cases:
        tx = _transaction(case["transaction"], "gasLimit")
        key = MemoryKey(_bytes(case["privateKey"]))
        unsigned, raw = _bytes(case["unsignedLondon"]), _bytes(case["signedLondon"])
        assert unsigned_bytes(tx) == unsigned, case["name"]
        assert sign_transaction(tx, key, key.address).raw == raw, case["name"]
        assert decode_unsigned(unsigned) == decode_signed(raw)[0] == tx, case["name"]
        assert sender(raw) == key.address, case["name"]
    assert len(cases) > 1_000
    report_cases(capsys, f"ethers v6 signedLondon: {len(cases)} of {len(cases)} match")


def test_eth_account_fee_market_transactions_match(capsys: pytest.CaptureFixture[str]) -> None:
    cases = [
        case
        for case in load_vectors("eth-account/typed_transactions.json")
        if case["expected_type"] == "DynamicFeeTransaction"
    ]
    for case in cases:
        fields, raw = case["transaction"], _bytes(case["expected_raw_transaction"])
        tx, signature = decode_signed(raw)
        assert tx == _transaction(fields, "gas")
        assert signature == b"".join(
            _number(fields[part]).to_bytes(size, "big") for part, size in SIGNATURE_PARTS
        )
        assert signed_bytes(tx, signature) == raw
        # eth-account calls the digest that is signed the hash of the transaction.
        assert signing_hash(tx) == _bytes(case["expected_hash"])
        assert len(sender(raw)) == 20
    assert cases
    report_cases(capsys, f"eth-account type 2: {len(cases)} of {len(cases)} match")


def test_ethers_accounts_have_their_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    cases = load_vectors("ethers-v6/accounts.json.gz")
    for case in cases:
        key = PrivateKey(_bytes(case["privateKey"]))
        address = address_of(key.public_key.format(compressed=False))
        assert checksum_address(address) == case["address"], case["name"]
        assert parse_address(case["address"]) == address, case["name"]
    assert len(cases) > 100
    report_cases(capsys, f"ethers v6 accounts: {len(cases)} of {len(cases)} match")
