"""Verification of boot records, and attempts to forge them."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.canonical import MalformedError
from schemas.keys.boot import BootFacts, SignerBoot
from signer.attestation.boot import boot_binding, boot_record, customer_binding
from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.boot_check import BootVerificationError, ExpectedSigner, check_boot
from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.policy import VerificationPolicy
from signer.attestation.verify.verify import Verified
from signer.custody.event_signing import Ed25519Signer
from tests.harness.builders.attestation import AT_MS, refused, simulated_policy
from tests.harness.builders.release import CONFIGURATION, attest

IDENTITY = Ed25519Signer("signer-0", b"\x21" * 32)
OTHER = Ed25519Signer("signer-0", b"\x22" * 32)
EXPECTED = ExpectedSigner("acme", "signer-0", (IDENTITY.public_key,))


def facts(**changes: Any) -> BootFacts:
    members = {
        "org": "acme",
        "signer": "signer-0",
        "public_key": IDENTITY.public_key,
        "started_at_ms": AT_MS,
        "configuration": CONFIGURATION,
        "key_set": "0x" + "0a" * 32,
        "registry": "0x" + "09" * 32,
        "registry_sequence": 7,
        "unique": "0x" + "08" * 16,
    }
    return BootFacts.model_validate(members | changes)


def signed(record: SignerBoot, signer: Ed25519Signer = IDENTITY) -> SignerBoot:
    return SignerBoot.decode(signer.sign_event(record))


def booted(evidence: Evidence | None = None, **changes: Any) -> SignerBoot:
    mine = facts(**changes)
    return boot_record(mine, evidence or attest(boot_binding(mine)), simulated=True)


def check(record: SignerBoot, policy: VerificationPolicy | None = None) -> Verified:
    return check_boot(record, EXPECTED, policy or simulated_policy(), AT_MS)


def unproven(record: SignerBoot, why: str) -> None:
    with pytest.raises(BootVerificationError, match=why):
        check(record)


def test_a_boots_record_proves_the_machine_that_signs_its_outcomes() -> None:
    record = signed(booted())
    found = check(record)
    assert found.simulated
    assert found.report.report_data == boot_binding(facts()).report_data()
    assert record.id == facts().boot_id()


def test_two_boots_have_two_ids() -> None:
    twin = {"unique": "0x" + "07" * 16}
    assert facts().boot_id() != facts(**twin).boot_id()
    for shared in ({"registry_sequence": 8}, {"configuration": "0x" + "0f" * 32}):
        assert facts().boot_id() != facts(**shared).boot_id()


def test_a_record_that_the_signer_did_not_sign_is_refused() -> None:
    unproven(booted(), "did not sign")
    unproven(signed(booted(), OTHER), "did not sign")
    unproven(signed(booted(public_key=OTHER.public_key), OTHER), "public_key")


@pytest.mark.parametrize("other", [{"signer": "signer-1"}, {"org": "other"}])
def test_a_record_of_another_signer_under_a_key_of_this_one_is_refused(
    other: dict[str, Any],
) -> None:
    unproven(signed(booted(**other)), "org or signer")


def test_a_boot_under_a_replaced_key_of_the_signer_still_verifies() -> None:
    rotated = EXPECTED._replace(keys=(OTHER.public_key, IDENTITY.public_key))
    assert check_boot(signed(booted()), rotated, simulated_policy(), AT_MS).simulated


def test_evidence_of_another_boot_is_refused() -> None:
    theirs = attest(boot_binding(facts(unique="0x" + "07" * 16)))
    with pytest.raises(EvidenceError) as caught:
        check(signed(booted(theirs)))
    assert caught.value.code is Code.REPORT_DATA_MISMATCH


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.SIGNER_BOOT}))
def test_evidence_for_another_purpose_is_refused(purpose: Purpose) -> None:
    other = replace(boot_binding(facts()), purpose=purpose)
    for policy in map(simulated_policy().for_purpose, Purpose):
        with pytest.raises(EvidenceError) as caught:
            check(signed(booted(attest(other))), policy)
        assert caught.value.code is Code.REPORT_DATA_MISMATCH


def test_a_stolen_key_and_evidence_for_a_customer_make_no_boot() -> None:
    """The thief invents a boot and has the real signer attest its id, as any customer may."""
    invented = facts(started_at_ms=AT_MS - 1, unique="0x" + "66" * 16)
    answer = attest(customer_binding(invented, bytes.fromhex(invented.boot_id()[2:])))
    forged = signed(boot_record(invented, answer, simulated=True))
    with pytest.raises(EvidenceError) as caught:
        check(forged)
    assert caught.value.code is Code.REPORT_DATA_MISMATCH


def test_the_result_names_the_policy_with_the_purpose_of_a_boot() -> None:
    accepted = simulated_policy().for_purpose(Purpose.SIGNER_BOOT)
    assert check(signed(booted())).policy_digest == accepted.digest()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"id": "0x" + "00" * 32}, "its id"),
        ({"evidence_digest": "0x" + "00" * 32}, "evidence_digest"),
        ({"simulated": False}, "simulated"),
        ({"evidence": base64.b64encode(b"{}").decode()}, "malformed"),
        ({"facts": facts(configuration="0x" + "0f" * 32)}, "its id"),
    ],
)
def test_a_record_that_contradicts_itself_is_refused(changes: dict[str, Any], why: str) -> None:
    unproven(signed(booted().model_copy(update=changes)), why)


def test_evidence_with_the_claims_of_another_record_is_refused() -> None:
    other = booted(key_set="0x" + "06" * 32)
    copied = {"evidence": other.evidence, "evidence_digest": other.evidence_digest}
    unproven(signed(booted().model_copy(update=copied)), "claims")


def test_the_default_policy_refuses_a_simulated_boot() -> None:
    refused(Code.ROOT_UNPINNED, attest(boot_binding(facts())), VerificationPolicy())
    with pytest.raises(EvidenceError):
        check(signed(booted()), VerificationPolicy())


@given(st.data())
@settings(deadline=None, max_examples=50)
def test_any_changed_byte_is_refused(data: st.DataObject) -> None:
    raw = bytearray(IDENTITY.sign_event(booted()))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((MalformedError, BootVerificationError)):
        check(SignerBoot.decode(bytes(raw)))
