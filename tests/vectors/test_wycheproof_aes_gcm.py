"""Project Wycheproof's AES-GCM cases on the functions that seal and open every blob."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from signer.custody import aead
from signer.custody.envelope import new_vault_key, open_secret, seal_secret
from signer.custody.errors import CorruptError
from tests.harness.builders.custody_material import HERE, Stream, root_kms
from tests.harness.builders.vectors import load_vectors, report_cases

OURS = {"keySize": 256, "ivSize": 96, "tagSize": 128}
EXPECTED_CASES = 66
NONCE_END = len(aead.FORMAT_1) + aead.NONCE_BYTES


def cases() -> list[dict[str, Any]]:
    """Return the cases with the parameters that custody uses."""
    groups = load_vectors("wycheproof/aes_gcm_test.json")["testGroups"]
    ours = [group for group in groups if OURS.items() <= group.items()]
    return [case for group in ours for case in group["tests"]]


def agrees(case: dict[str, Any]) -> bool:
    """Return whether sealing and opening both match the case; GCM has no acceptable results."""
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


def test_every_wycheproof_case_seals_and_opens_as_expected(
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


def test_every_case_of_wycheproof_goes_through_an_envelope() -> None:
    """A secret sealed under a case's key and IV is its ciphertext: only the tag binds the place.

    A case that Wycheproof spoils has one difference to the right tag; the envelope's tag with that
    same difference opens nothing.
    """
    wrapped_kek = new_vault_key(root_kms(), HERE.vault_context, Stream())
    for case in cases():
        key, iv, message, ciphertext, tag = (
            bytes.fromhex(case[name]) for name in ("key", "iv", "msg", "ct", "tag")
        )
        drawn = {aead.KEY_BYTES: key, aead.NONCE_BYTES: iv}
        sealed = seal_secret(root_kms(), wrapped_kek, HERE, message, drawn.__getitem__)
        start, body = sealed.ciphertext[:NONCE_END], sealed.ciphertext[NONCE_END:]
        assert start == aead.FORMAT_1 + iv
        assert body[: -aead.TAG_BYTES] == ciphertext, case["tcId"]
        assert open_secret(root_kms(), HERE, sealed) == message
        spoilt = differently(body[-aead.TAG_BYTES :], tag, right_tag(case))
        changed = replace(sealed, ciphertext=start + ciphertext + spoilt)
        if case["result"] == "valid":
            assert open_secret(root_kms(), HERE, changed) == message
        else:
            with pytest.raises(CorruptError):
                open_secret(root_kms(), HERE, changed)


def right_tag(case: dict[str, Any]) -> bytes:
    key, iv, aad, message = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg"))
    return aead.encrypt(aead.load_key(key), iv, message, aad)[-aead.TAG_BYTES :]


def differently(tag: bytes, one: bytes, other: bytes) -> bytes:
    """Change a tag by the difference of two other tags."""
    return bytes(byte ^ left ^ right for byte, left, right in zip(tag, one, other, strict=True))


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
