"""Reports that AMD's processors signed, as published by three projects that verify them."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from signer.attestation.verify.certificates import check_chain
from signer.attestation.verify.endorsement import read_endorsement
from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.generations import PROFILES
from signer.attestation.verify.policy import GenerationFloor, VerificationPolicy
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation, Tcb
from signer.attestation.verify.verify import Verified, verify
from tests.harness.builders.attestation import (
    ders,
    manifest,
    real_chain,
    real_evidence,
    refused,
    sev_file,
    with_chain,
)
from tests.harness.builders.vectors import report_cases

DAY_MS = 86_400_000
AWS = "CN=cc-us-east-2.amazonaws.com"
DEBUG = "milan-v2-debug"
TRUSTEE = "confidential-containers-trustee"
# Exactly the exceptions that the vectors' old firmware and other clouds need.
LENIENT = VerificationPolicy(
    versions=(2, 3, 5),
    signing_keys=tuple(SigningKey),
    csp_ids=(AWS,),
    generations=tuple(
        GenerationFloor(generation=one, snp_min=0, firmware_min="0.0.0") for one in Generation
    ),
    crl="optional",
    masked_chip_allowed=True,
    vmpl_max=1,
    measurements="any",
    platform_must_set="0x0",
)
PRODUCTION = {
    "milan-v2-debug": "version_refused",
    "milan-v2": "version_refused",
    "milan-v2-azure": "version_refused",
    "milan-v2-azure-hcl": "version_refused",
    "milan-v3-vlek-aws": "signing_key_refused",
    "genoa-v3-bergamo": "verified",
    "milan-v3-azure-a": "verified",
    "milan-v3-azure-b": "verified",
    "milan-v3-azure-c": "verified",
    "genoa-v3-azure": "verified",
}


def judged(vector: dict[str, Any], policy: VerificationPolicy) -> Verified:
    """Verify a vector 30 days after its leaf came into force."""
    return verify(real_evidence(vector), policy, expected_data(vector), month_after(vector))


def expected_data(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["fields"]["report_data"])


def month_after(vector: dict[str, Any]) -> int:
    since = datetime.fromisoformat(vector["vek_not_before"]).replace(tzinfo=UTC)
    return int(since.timestamp() * 1000) + 30 * DAY_MS


def test_every_report_of_the_manifest_gives_its_expected_result(
    capsys: pytest.CaptureFixture[str],
) -> None:
    vectors = manifest()["vectors"]
    for vector in vectors:
        if vector["id"] == DEBUG:
            with pytest.raises(EvidenceError) as caught:
                judged(vector, LENIENT)
            assert caught.value.code is Code.DEBUG_ALLOWED
        else:
            agrees(judged(vector, LENIENT), vector)
    assert len(vectors) == 10
    report_cases(capsys, f"AMD SEV-SNP: {len(vectors)} reports give the manifest's result")


def agrees(found: Verified, vector: dict[str, Any]) -> None:
    fields, report = vector["fields"], found.report
    for name in ("report_data", "measurement", "host_data", "id_key_digest", "chip_id"):
        assert getattr(report, name).hex() == fields[name], name
    for name in ("current_tcb", "committed_tcb", "launch_tcb"):
        assert getattr(report, name).hex() == fields[name], name
    for name in ("launch", "current"):
        expected = int.from_bytes(bytes.fromhex(fields[f"{name}_mit_vector"]), "little")
        assert getattr(report, f"{name}_mitigations") == expected
    levels = fields["reported_tcb"]
    tcb = Tcb(levels["bl"], levels["tee"], levels["snp"], levels["uc"])
    assert found.tcbs.reported == found.endorsement.tcb == tcb
    cpu = (report.cpu_family, report.cpu_model, report.cpu_stepping)
    assert bytes(cpu).hex() == fields["cpuid_fms"]
    firmware = (report.current_major, report.current_minor, report.current_build)
    assert ".".join(map(str, firmware)) == fields["fw"]
    numbers = (report.policy, report.platform_info, report.vmpl, report.guest_svn)
    words = int(fields["policy"], 16), int(fields["platform_info"], 16)
    assert numbers == (*words, fields["vmpl"], fields["guest_svn"])
    assert (found.generation, report.version) == (vector["generation"], vector["version"])
    assert found.signing_key.upper() == vector["signing_key"]
    assert not found.simulated


def test_production_accepts_no_old_version_and_no_foreign_key(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The default policy with any measurement and no revocation list, as none is published."""
    policy = VerificationPolicy(measurements="any", crl="optional")
    found = {}
    for vector in manifest()["vectors"]:
        try:
            judged(vector, policy)
            found[vector["id"]] = "verified"
        except EvidenceError as error:
            found[vector["id"]] = error.code.value
    assert found == PRODUCTION
    accepted = list(found.values()).count("verified")
    report_cases(capsys, f"AMD SEV-SNP: production accepts {accepted} of {len(found)} reports")


@pytest.mark.parametrize("generation", Generation)
def test_the_pinned_digests_are_of_the_published_certificates(generation: Generation) -> None:
    profile = PROFILES[generation]
    published = ders(f"{TRUSTEE}/snp/{generation}_ask_ark_asvk.pem")
    pinned = [profile.ask, profile.ark, profile.asvk]
    assert [hashlib.sha256(der).hexdigest() for der in published] == pinned


def test_a_vlek_chains_through_its_own_intermediate_only() -> None:
    vector = by_id("milan-v3-vlek-aws")
    evidence = real_evidence(vector)
    ask = real_chain("milan", "VCEK", vector["vek"]).intermediate
    swapped = with_chain(evidence, intermediate=ask)
    refuse(Code.INTERMEDIATE_UNPINNED, swapped, vector)


def test_another_generations_root_is_refused() -> None:
    vector = by_id("milan-v3-azure-a")
    root = real_chain("genoa", "VCEK", vector["vek"]).root
    swapped = with_chain(real_evidence(vector), root=root)
    refuse(Code.ROOT_OTHER_GENERATION, swapped, vector)


def test_a_vlek_that_has_expired_proves_nothing() -> None:
    vector = by_id("milan-v3-vlek-aws")
    late = int(datetime(2025, 12, 11, tzinfo=UTC).timestamp() * 1000)
    refused(Code.CERTIFICATE_EXPIRED, real_evidence(vector), LENIENT, late, expected_data(vector))


@pytest.mark.parametrize("name", ["legacy", "new"])
def test_leaves_that_amd_did_not_sign_are_refused(name: str) -> None:
    vector = by_id("milan-v2-azure")
    leaf = sev_file(f"{TRUSTEE}/snp/test-vcek-invalid-{name}.der")
    refuse(Code.CERTIFICATE_SIGNATURE, with_chain(real_evidence(vector), leaf=leaf), vector)


def test_a_report_under_another_chips_leaf_is_refused() -> None:
    vector = by_id("milan-v2")
    leaf = real_evidence(by_id("milan-v2-azure")).certificates.leaf
    refuse(Code.SIGNATURE_INVALID, with_chain(real_evidence(vector), leaf=leaf), vector)


@pytest.mark.parametrize(
    ("leaf", "generation"),
    [
        ("virtee-sev/vcek_turin.der", Generation.TURIN),
        (f"{TRUSTEE}/az-snp-vtpm/vcek-genoa.pem", Generation.GENOA),
    ],
)
def test_leaves_without_a_report_lead_to_their_root(leaf: str, generation: Generation) -> None:
    assert any(name in leaf for name in manifest()["cert_only_chain_ok"])
    chain = real_chain(generation, "VCEK", leaf)
    found = check_chain(chain, generation, SigningKey.VCEK, None, datetime(2026, 6, 1, tzinfo=UTC))
    endorsement = read_endorsement(found.leaf, generation, SigningKey.VCEK)
    assert (endorsement.tcb.fmc is None) == (generation is Generation.GENOA)
    assert len(endorsement.hwid or b"") == (64 if generation is Generation.GENOA else 8)


@pytest.mark.parametrize("part", ["report", "leaf"])
def test_every_flipped_byte_of_a_genuine_report_is_detected(
    part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    vector = by_id("milan-v3-azure-a")
    evidence, expected, at_ms = real_evidence(vector), expected_data(vector), month_after(vector)
    good = evidence.report if part == "report" else evidence.certificates.leaf
    for at, byte in enumerate(good):
        raw = good[:at] + bytes((byte ^ 1 << at % 8,)) + good[at + 1 :]
        changed = (
            replace(evidence, report=raw) if part == "report" else with_chain(evidence, leaf=raw)
        )
        with pytest.raises(EvidenceError):
            verify(changed, LENIENT, expected, at_ms)
    report_cases(capsys, f"AMD SEV-SNP: {len(good)} flips in a genuine {part} refused")


@pytest.mark.parametrize("flip", [(40, "leaf"), (21, "report")])
def test_the_changes_in_other_projects_tests_are_refused_here_too(flip: tuple[int, str]) -> None:
    at, part = flip
    vector = by_id("milan-v2")
    evidence = real_evidence(vector)
    if part == "leaf":
        changed = bytearray(evidence.certificates.leaf)
        changed[at] ^= 0xFF
        evidence = with_chain(evidence, leaf=bytes(changed))
    else:
        raw = bytearray(evidence.report)
        raw[at] ^= 0x80
        evidence = replace(evidence, report=bytes(raw))
    with pytest.raises(EvidenceError):
        verify(evidence, LENIENT, expected_data(vector), month_after(vector))


def by_id(name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in manifest()["vectors"] if one["id"] == name)
    return found


def refuse(code: Code, evidence: Any, vector: dict[str, Any]) -> None:
    refused(code, evidence, LENIENT, month_after(vector), expected_data(vector))
