"""Published transactions, authorizations and addresses, byte for byte."""

from typing import Any

import pytest
from coincurve import PrivateKey

from signer.core.errors import TransactionDecodingError
from signer.core.ethereum.address import checksum_address, parse_address
from signer.core.ethereum.authorization import (
    SignedAuthorization,
    authority,
    authorization_hash,
    authorization_list,
)
from signer.core.ethereum.encoding import encode
from signer.core.ethereum.rlp_codec import encode_list
from signer.core.ethereum.signing import sign_transaction
from signer.core.ethereum.validation import ValidTransaction, first_problem
from signer.keys.addresses.derivation import address_of
from sixgate.cli.transaction_decoding import decode_of_any_chain, sender
from tests.harness.builders.ethereum import (
    MemoryKey,
    authorization_of,
    bytes_of,
    sign_terms,
    signature_of,
    signed_unchecked,
    transaction_of,
)
from tests.harness.builders.vectors import load_vectors, report_cases

# The names of ethers' signed forms, and the minimum number of each.
FORMS = {0: ("Eip155", 800), 1: ("Berlin", 1_600), 2: ("London", 1_600), 3: ("Cancun", 800)}
EXPECTED_TYPES = {
    "AccessListTransaction": 1,
    "DynamicFeeTransaction": 2,
    "BlobTransaction": 3,
    "SetCodeTransaction": 4,
}


@pytest.mark.parametrize("number", FORMS)
def test_ethers_transactions_are_signed_and_decoded(
    number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    form, least = FORMS[number]
    valid = 0
    cases = [
        case for case in load_vectors("ethers-v6/transactions.json.gz") if case[f"signed{form}"]
    ]
    for case in cases:
        tx = transaction_of(number, case["transaction"])
        key = MemoryKey(bytes_of(case["privateKey"]))
        raw = bytes_of(case[f"signed{form}"])
        assert encode(tx).unsigned() == bytes_of(case[f"unsigned{form}"]), case["name"]
        assert signed_unchecked(tx, key).raw == raw, case["name"]
        if first_problem(tx) is None:
            assert sign_transaction(ValidTransaction(tx), key, key.address).raw == raw
            valid += 1
        assert decode_of_any_chain(raw)[0] == tx, case["name"]
        assert sender(raw) == key.address, case["name"]
    assert len(cases) > least
    report_cases(
        capsys, f"ethers v6 signed{form}: {len(cases)} of {len(cases)} match, {valid} valid"
    )


def test_ethers_transactions_without_a_chain_id_are_rejected(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cases = load_vectors("ethers-v6/transactions.json.gz")
    for case in cases:
        with pytest.raises(TransactionDecodingError) as refusal:
            decode_of_any_chain(bytes_of(case["signedLegacy"]))
        assert refusal.value.location == "signature.v", case["name"]
    assert len(cases) > 1_600
    report_cases(capsys, f"ethers v6 signedLegacy: {len(cases)} of {len(cases)} refused")


def test_eth_account_typed_transactions_match(capsys: pytest.CaptureFixture[str]) -> None:
    cases = load_vectors("eth-account/typed_transactions.json")
    for case in cases:
        number = EXPECTED_TYPES[case["expected_type"]]
        fields, raw = case["transaction"], bytes_of(case["expected_raw_transaction"])
        expected = transaction_of(number, fields)
        signature = signature_of(fields | {"yParity": fields["v"]})
        assert decode_of_any_chain(raw) == (expected, signature)
        encoding = encode(expected)
        assert encoding.signed(signature) == raw
        # In eth-account the signed digest is called the transaction's hash.
        assert encoding.signing_hash() == bytes_of(case["expected_hash"])
        assert len(sender(raw)) == 20
    assert {case["expected_type"] for case in cases} == set(EXPECTED_TYPES)
    report_cases(capsys, f"eth-account typed: {len(cases)} of {len(cases)} match")


def test_the_example_of_eip_155_matches(capsys: pytest.CaptureFixture[str]) -> None:
    case = load_vectors("misc-eth/vectors.json")["eip155_example"]
    tx, key = transaction_of(0, case["tx"]), MemoryKey(bytes_of(case["private_key"]))
    encoding = encode(tx)
    assert encoding.unsigned() == bytes_of(case["signing_data"])
    assert encoding.signing_hash() == bytes_of(case["signing_hash"])
    assert signed_unchecked(tx, key).raw == bytes_of(case["signed"])
    assert decode_of_any_chain(bytes_of(case["signed"]))[0] == tx
    report_cases(capsys, "EIP-155: 1 of 1 matches")


def test_published_authorizations_match(capsys: pytest.CaptureFixture[str]) -> None:
    cases = load_vectors("misc-eth/vectors.json")["eip7702_auth"]
    for case in cases:
        key, asked = MemoryKey(bytes_of(case["private_key"])), authorization_of(case)
        signed = sign_terms(asked, key)
        assert signed == SignedAuthorization(asked, _published_signature(case))
        assert authority(signed) == key.address
        if "hash" in case:
            assert authorization_hash(asked) == bytes_of(case["hash"])
        if "rlp" in case:
            listed = authorization_list((signed,), "entries")
            assert listed == encode_list(bytes_of(case["rlp"]))
            assert key.address == bytes_of(case["authority"])
    assert len(cases) == 2
    report_cases(capsys, f"EIP-7702 authorizations: {len(cases)} of {len(cases)} match")


def _published_signature(case: dict[str, Any]) -> bytes:
    if "r" in case:
        return signature_of(case)
    signature = bytes_of(case["signature"])  # with a v of 27 or 28
    return signature[:64] + bytes([signature[64] - 27])


def test_ethers_accounts_have_their_addresses(capsys: pytest.CaptureFixture[str]) -> None:
    cases = load_vectors("ethers-v6/accounts.json.gz")
    for case in cases:
        key = PrivateKey(bytes_of(case["privateKey"]))
        address = address_of(key.public_key.format(compressed=False))
        assert checksum_address(address) == case["address"], case["name"]
        assert parse_address(case["address"]) == address, case["name"]
    assert len(cases) > 100
    report_cases(capsys, f"ethers v6 accounts: {len(cases)} of {len(cases)} match")
