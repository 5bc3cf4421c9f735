"""Published typed data and messages: ethers.js v6, eth-account and MetaMask, digest by digest."""

import json
from typing import Any

import pytest
from eth_account.messages import _hash_eip191_message, encode_typed_data

from signer.core.ethereum.personal_message import personal_message_hash
from signer.core.ethereum.signing import sign_message_digest
from signer.core.ethereum.typed_data.document import read_typed_data
from tests.harness.builders.ethereum import MemoryKey
from tests.harness.builders.vectors import load_vectors, report_cases


def chain_of(domain: dict[str, Any]) -> int:
    """Return the chain of a document, or any chain if it has none."""
    chain_id = domain.get("chainId", 1)
    return int(chain_id, 0) if isinstance(chain_id, str) else int(chain_id)


def digest_of(made: dict[str, Any]) -> str:
    return f"0x{read_typed_data(json.dumps(made), chain_of(made['domain'])).digest.hex()}"


def test_ethers_typed_data_has_the_published_digests(capsys: pytest.CaptureFixture[str]) -> None:
    cases = load_vectors("ethers-v6/typed-data.json.gz")
    for case in cases:
        parts = {name: case[name] for name in ("types", "primaryType", "domain")}
        assert digest_of(parts | {"message": case["data"]}) == case["digest"], case["name"]
    assert len(cases) > 50
    report_cases(capsys, f"ethers v6 typed data: {len(cases)} of {len(cases)} match")


def test_documents_that_all_libraries_accept_are_accepted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cases = load_vectors("eth-account/eip712_messages/valid_for_all.json")
    for name, made in cases.items():
        expected = bytes(_hash_eip191_message(encode_typed_data(full_message=made)))
        assert digest_of(made) == f"0x{expected.hex()}", name
    assert len(cases) > 5
    report_cases(capsys, f"eth-account typed data: {len(cases)} of {len(cases)} match")


def test_metamask_messages_have_the_published_signatures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    cases = load_vectors("misc-eth/vectors.json")["eip191_metamask"]["cases"]
    for case in cases:
        text, spelt = case.get("message_text"), case.get("message_hex", "0x")
        message = text.encode() if text else bytes.fromhex(spelt[2:])
        key = MemoryKey(bytes.fromhex(case["private_key"][2:]))
        signature = sign_message_digest(personal_message_hash(message), key, key.address)
        assert f"0x{signature.hex()}" == case["signature"]
        assert case.get("address", f"0x{key.address.hex()}") == f"0x{key.address.hex()}"
    assert cases
    report_cases(capsys, f"EIP-191 messages: {len(cases)} of {len(cases)} match")


def test_the_standards_example_has_its_published_digest_and_signature() -> None:
    """EIP-712's example: the key is keccak256("cow")."""
    made = load_vectors("eth-account/eip712_messages/valid_for_all.json")["valid_eip712_example"]
    digest = digest_of(made)
    assert digest == "0xbe609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    secret = bytes.fromhex("c85ef7d79691fe79573b1a7064c19c1a9819ebdbd1faaab1a8ec92344438aaf4")
    key = MemoryKey(secret)
    assert sign_message_digest(bytes.fromhex(digest[2:]), key, key.address).hex() == (
        "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
        "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b915621c"
    )
