"""Project Wycheproof's AES-GCM cases on the very functions that every blob goes through."""

from collections import Counter
from typing import Any

import pytest

from signer.custody import aead
from signer.custody.errors import CorruptError
from tests.support.vectors import load_vectors, report_cases

OURS = {"keySize": 256, "ivSize": 96, "tagSize": 128}
EXPECTED_CASES = 66


def cases() -> list[dict[str, Any]]:
    """The cases of the only parameters that custody uses."""
    groups = load_vectors("wycheproof/aes_gcm_test.json")["testGroups"]
    ours = [group for group in groups if OURS.items() <= group.items()]
    return [case for group in ours for case in group["tests"]]


def agrees(case: dict[str, Any]) -> bool:
    """Whether both directions do what the case says; GCM has no acceptable half."""
    key, iv, aad, message, ciphertext, tag = (
        bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
    )
    cipher = aead.load_key(key)
    sealed_alike = aead.encrypt(cipher, iv, message, aad) == ciphertext + tag
    try:
        opened_alike = aead.decrypt(cipher, iv, ciphertext + tag, aad) == message
    except CorruptError:
        opened_alike = False
    valid = case["result"] == "valid"
    return sealed_alike is valid and opened_alike is valid


def test_every_case_of_wycheproof_is_sealed_and_opened_as_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tried = cases()
    wrong = [(case["tcId"], case["comment"]) for case in tried if not agrees(case)]
    assert wrong == []
    assert len(tried) == EXPECTED_CASES
    results = Counter(case["result"] for case in tried)
    assert results["valid"] > 0
    assert results["invalid"] > 0
    assert set(results) == {"valid", "invalid"}
    report_cases(capsys, f"Wycheproof AES-256-GCM: {len(tried)} cases, {dict(results)}")


def test_keys_and_nonces_of_other_sizes_are_refused() -> None:
    groups = load_vectors("wycheproof/aes_gcm_test.json")["testGroups"]
    others = [group for group in groups if not OURS.items() <= group.items()]
    assert others
    for group in others:
        case = group["tests"][0]
        with pytest.raises(ValueError, match="bytes, not"):
            aead.encrypt(
                aead.load_key(bytes.fromhex(case["key"])), bytes.fromhex(case["iv"]), b"", b""
            )
