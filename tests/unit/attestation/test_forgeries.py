"""Forged evidence: each step of the verification refuses its forgery with its code."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from signer.attestation.verify.endorsement import Endorsement
from signer.attestation.verify.errors import Code
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.policy import GenerationFloor, VerificationPolicy
from signer.attestation.verify.report import SigningKey, parse
from signer.attestation.verify.tcb import Generation, Tcb
from sixgate.simulated_platform.certificates import SimulatedAuthority
from sixgate.simulated_platform.platform import MEASUREMENT, SimulatedChip, SimulatedPlatform
from tests.harness.builders.attestation import (
    AT,
    AT_MS,
    BINDING,
    VLEK_TERMS,
    authority,
    crl,
    evidence_of,
    other_keys,
    platform,
    refused,
    simulated_evidence,
    simulated_policy,
    verified,
    with_chain,
    with_one_bit_unused,
    with_one_byte_less,
)

DAY = timedelta(days=1)
P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
CHIP = SimulatedChip.generate(Generation.MILAN, b"\x05" * 64)
MASKED = bytes(64)


def test_a_forged_root_is_refused() -> None:
    """The forger's chain is consistent, and its root has AMD's name."""
    forger = SimulatedAuthority.create(other_keys(), Generation.MILAN, AT)
    chip = SimulatedPlatform(forger, CHIP, SigningKey.VCEK, AT)
    report = chip.sign({"report_data": BINDING.report_data()})
    evidence = Evidence(report, chip.certificates, forger.revocation_list(AT))
    refused(Code.ROOT_UNPINNED, evidence)
    verified(evidence, simulated_policy(simulated_root=forger.root_digest))


@pytest.mark.parametrize("odd", [with_one_bit_unused, with_one_byte_less])
def test_another_encoding_of_a_leaf_is_refused(odd: Callable[..., tuple[bytes, bytes]]) -> None:
    """The X.509 library accepts both."""
    chip = with_new_chip()
    der, other = odd(lambda: with_new_chip().certificates.leaf)
    evidence = Evidence(chip.sign({"report_data": BINDING.report_data()}), chip.certificates, crl())
    verified(with_chain(evidence, leaf=der))
    refused(Code.CERTIFICATE_MALFORMED, with_chain(evidence, leaf=other))


def with_new_chip() -> SimulatedPlatform:
    return SimulatedPlatform(authority(), CHIP, SigningKey.VCEK, AT)


def test_a_forged_intermediate_under_the_pinned_root_is_refused() -> None:
    """The root's certificate is public; only its key makes an intermediate."""
    forger = SimulatedAuthority.create(other_keys(), Generation.MILAN, AT)
    chip = SimulatedPlatform(forger, CHIP, SigningKey.VCEK, AT)
    report = chip.sign({"report_data": BINDING.report_data()})
    chain = replace(chip.certificates, root=simulated_evidence().certificates.root)
    refused(Code.CERTIFICATE_SIGNATURE, Evidence(report, chain, crl()))


def test_the_simulated_root_is_refused_by_default() -> None:
    policy = VerificationPolicy(measurements=(f"0x{MEASUREMENT.hex()}",))
    refused(Code.ROOT_UNPINNED, simulated_evidence(), policy)


def test_certificates_of_another_generation_are_refused() -> None:
    chain = platform(Generation.GENOA).certificates
    evidence = replace(simulated_evidence(), certificates=chain)
    refused(Code.ROOT_UNPINNED, evidence)
    policy = simulated_policy(simulated_root=authority(Generation.GENOA).root_digest)
    refused(Code.CERTIFICATE_PROFILE, evidence, policy)


def test_swapped_certificates_are_refused() -> None:
    evidence = simulated_evidence()
    chain = evidence.certificates
    vlek = platform(kind=SigningKey.VLEK).certificates
    for swapped in (
        with_chain(evidence, intermediate=vlek.intermediate),
        with_chain(evidence, leaf=vlek.leaf),
        with_chain(evidence, leaf=chain.intermediate, intermediate=chain.leaf),
        with_chain(evidence, intermediate=chain.root),
        with_chain(evidence, leaf=chain.root),
    ):
        refused(Code.CERTIFICATE_PROFILE, swapped)
    refused(Code.ROOT_UNPINNED, with_chain(evidence, root=chain.intermediate))


def test_a_vlek_is_refused_if_the_policy_accepts_only_vceks() -> None:
    evidence = simulated_evidence(kind=SigningKey.VLEK)
    refused(Code.SIGNING_KEY_REFUSED, evidence)
    verified(evidence, simulated_policy(**VLEK_TERMS))


def test_a_vlek_that_calls_itself_a_vcek_is_refused() -> None:
    refused(Code.CERTIFICATE_PROFILE, simulated_evidence(kind=SigningKey.VLEK, key_info=0))


def test_a_vlek_of_another_provider_is_refused() -> None:
    evidence = simulated_evidence(kind=SigningKey.VLEK)
    terms = VLEK_TERMS | {"csp_ids": ("CN=other.example",)}
    refused(Code.CSP_REFUSED, evidence, simulated_policy(**terms))


def test_a_changed_report_is_refused() -> None:
    evidence = simulated_evidence()
    signature = evidence.report[0x2A0:]
    other = simulated_evidence(guest_svn=1).report
    refused(Code.SIGNATURE_INVALID, replace(evidence, report=other[:0x2A0] + signature))


def test_another_chips_signature_is_refused() -> None:
    evidence = simulated_evidence()
    stranger = SimulatedPlatform(authority(), CHIP, SigningKey.VCEK, AT)
    report = stranger.sign({"report_data": BINDING.report_data()})
    refused(Code.SIGNATURE_INVALID, replace(evidence, report=report))


@pytest.mark.parametrize("r", [0, P384_ORDER])
def test_a_signature_out_of_range_is_refused(r: int) -> None:
    evidence = simulated_evidence()
    report = bytearray(evidence.report)
    report[0x2A0:0x2D0] = r.to_bytes(48, "little")
    refused(Code.SIGNATURE_INVALID, replace(evidence, report=bytes(report)))


def test_a_malleable_signature_makes_no_second_report() -> None:
    """Anyone can turn s into n - s, and it verifies: no digest may cover the signature."""
    evidence = simulated_evidence()
    s = int.from_bytes(evidence.report[0x2E8:0x318], "little")
    report = bytearray(evidence.report)
    report[0x2E8:0x318] = (P384_ORDER - s).to_bytes(48, "little")
    twin = replace(evidence, report=bytes(report))
    assert twin.report != evidence.report
    assert verified(twin).report.digest == verified(evidence).report.digest


def test_a_stale_tcb_under_its_own_leaf_is_refused() -> None:
    """A chip with rolled-back firmware has a genuine leaf for it."""
    old = replace(CHIP, tcb=CHIP.tcb._replace(snp=0x17))
    refused(Code.TCB_LOW, evidence_of(old))


def test_a_stale_tcb_that_claims_to_be_newer_is_refused() -> None:
    """The key of the old TCB signs a report with the new TCB."""
    old = SimulatedPlatform(
        authority(), replace(CHIP, tcb=CHIP.tcb._replace(snp=3)), SigningKey.VCEK, AT
    )
    new = parse(simulated_evidence().report)
    fields: dict[str, Any] = {"reported_tcb": new.reported_tcb}
    report = old.sign({"report_data": BINDING.report_data()} | fields)
    refused(Code.TCB_MISMATCH, Evidence(report, old.certificates, crl()))


def test_uncommitted_firmware_is_refused() -> None:
    refused(Code.TCB_LOW, simulated_evidence(committed_tcb=bytes((10, 0, 0, 0, 0, 0, 3, 222))))
    launched = simulated_evidence(launch_tcb=bytes((10, 0, 0, 0, 0, 0, 3, 222)))
    verified(launched)
    refused(Code.TCB_LOW, launched, simulated_policy(launch_tcb_floor=True))
    ahead = simulated_evidence(current_tcb=bytes((11, 0, 0, 0, 0, 0, 27, 222)))
    verified(ahead)
    refused(Code.TCB_UNCOMMITTED, ahead, simulated_policy(current_tcb_committed=True))


@pytest.mark.parametrize("fields", [{}, {"microcode_min": 1}, {"tee_min": 0}])
@pytest.mark.parametrize("generation", [Generation.MILAN, Generation.GENOA])
def test_naming_a_generation_does_not_accept_any_firmware(
    generation: Generation, fields: dict[str, int]
) -> None:
    """An omitted minimum is the known floor, not 0."""
    floor = GenerationFloor.model_validate({"generation": generation} | fields)
    policy = simulated_policy(generation, generations=(floor,))
    verified(simulated_evidence(generation), policy)
    committed: dict[str, Any] = {"committed_tcb": bytes((10, 0, 0, 0, 0, 0, 0x16, 222))}
    refused(Code.TCB_LOW, simulated_evidence(generation, **committed), policy)
    refused(Code.FIRMWARE_LOW, simulated_evidence(generation, committed_build=21), policy)


def test_old_firmware_is_refused() -> None:
    refused(Code.FIRMWARE_LOW, simulated_evidence(committed_build=21))
    verified(simulated_evidence(committed_build=0, committed_minor=56))


def test_a_tcb_of_another_layout_is_refused() -> None:
    refused(Code.TCB_MALFORMED, simulated_evidence(current_tcb=bytes((1, 2, 3, 4, 0, 0, 0, 8))))


def test_a_debug_guest_is_refused() -> None:
    refused(Code.DEBUG_ALLOWED, simulated_evidence(policy=0xB0000))


def test_a_guest_that_may_be_migrated_is_refused() -> None:
    refused(Code.MIGRATION_ALLOWED, simulated_evidence(policy=0x70000))


@pytest.mark.parametrize("vmpl", [1, 2, 3, 2**32 - 1])
def test_a_report_of_a_higher_vmpl_is_refused(vmpl: int) -> None:
    refused(Code.VMPL_REFUSED, simulated_evidence(vmpl=vmpl))


def test_a_guest_policy_outside_the_masks_is_refused() -> None:
    refused(Code.GUEST_POLICY_REFUSED, simulated_evidence(policy=0x230000))
    single = simulated_policy(guest_policy_must_set="0x100000")
    refused(Code.GUEST_POLICY_REFUSED, simulated_evidence(), single)


def test_another_measurement_is_refused() -> None:
    refused(Code.MEASUREMENT_REFUSED, simulated_evidence(measurement=b"\x01" * 48))
    refused(Code.MEASUREMENT_REFUSED, simulated_evidence(), simulated_policy(measurements=()))


@pytest.mark.parametrize(
    ("field", "member", "size"),
    [
        ("host_data", "host_data", 32),
        ("family_id", "family_id", 16),
        ("image_id", "image_id", 16),
        ("id_key_digest", "id_key_digests", 48),
        ("author_key_digest", "author_key_digests", 48),
    ],
)
def test_another_launch_identity_is_refused(field: str, member: str, size: int) -> None:
    wanted = f"0x{'07' * size}"
    members: dict[str, Any] = {member: (wanted,) if member.endswith("s") else wanted}
    terms: dict[str, Any] = {field: b"\x07" * size}
    policy = simulated_policy(**members)
    refused(Code.LAUNCH_IDENTITY_REFUSED, simulated_evidence(key_info=1), policy)
    verified(simulated_evidence(key_info=1, **terms), policy)


def test_an_author_key_that_is_not_enabled_is_refused() -> None:
    policy = simulated_policy(author_key_digests=(f"0x{'07' * 48}",))
    evidence = simulated_evidence(author_key_digest=b"\x07" * 48)
    refused(Code.LAUNCH_IDENTITY_REFUSED, evidence, policy)


def test_an_old_guest_is_refused() -> None:
    refused(Code.GUEST_SVN_LOW, simulated_evidence(guest_svn=1), simulated_policy(guest_svn_min=2))


def test_memory_that_was_not_checked_for_aliases_is_refused() -> None:
    refused(Code.PLATFORM_REFUSED, simulated_evidence(platform_info=0x05))
    strict = simulated_policy(platform_must_clear="0x1")
    refused(Code.PLATFORM_REFUSED, simulated_evidence(), strict)
    verified(simulated_evidence(platform_info=0x67))


def test_a_mitigation_that_is_missing_is_refused() -> None:
    floor = GenerationFloor(generation=Generation.MILAN, snp_min=1, mitigations_required="0x9")
    policy = simulated_policy(generations=(floor,))
    refused(Code.MITIGATION_MISSING, simulated_evidence(current_mitigations=1), policy)
    refused(Code.MITIGATION_MISSING, simulated_evidence(version=3), policy)
    verified(simulated_evidence(current_mitigations=0xB), policy)


def test_a_processor_that_is_unknown_or_not_accepted_is_refused() -> None:
    refused(Code.GENERATION_UNKNOWN, simulated_evidence(cpu_family=0x1A, cpu_model=0x50))
    refused(Code.GENERATION_REFUSED, simulated_evidence(Generation.TURIN))
    policy = simulated_policy(simulated_root=authority(Generation.TURIN).root_digest)
    refused(Code.GENERATION_REFUSED, simulated_evidence(Generation.TURIN), policy)


def test_a_report_that_names_no_processor_is_refused() -> None:
    fields: dict[str, Any] = {"version": 2, "cpu_family": 0, "cpu_model": 0, "cpu_stepping": 0}
    refused(Code.VERSION_REFUSED, simulated_evidence(**fields))
    refused(
        Code.GENERATION_UNKNOWN, simulated_evidence(**fields), simulated_policy(versions=(2, 3, 5))
    )


def test_a_masked_chip_is_refused() -> None:
    """Its identity can neither be compared with the leaf nor denied."""
    refused(Code.CHIP_ID_MASKED, simulated_evidence(chip_id=MASKED))
    refused(Code.CHIP_ID_MASKED, simulated_evidence(key_info=2))
    lenient = simulated_policy(masked_chip_allowed=True)
    refused(Code.CHIP_ID_MASKED, simulated_evidence(chip_id=MASKED), lenient)
    vlek = simulated_evidence(kind=SigningKey.VLEK, chip_id=MASKED)
    refused(Code.CHIP_ID_MASKED, vlek, simulated_policy(**VLEK_TERMS))
    verified(vlek, simulated_policy(**VLEK_TERMS, masked_chip_allowed=True))


def test_a_chip_that_is_denied_is_refused() -> None:
    chip_id = parse(simulated_evidence().report).chip_id
    policy = simulated_policy(chip_ids_denied=(f"0x{chip_id.hex()}",))
    refused(Code.CHIP_ID_DENIED, simulated_evidence(), policy)
    refused(
        Code.CHIP_ID_DENIED,
        simulated_evidence(kind=SigningKey.VLEK),
        policy.model_copy(update=VLEK_TERMS),
    )


@pytest.mark.parametrize("generation", Generation)
def test_another_chips_leaf_is_refused(generation: Generation) -> None:
    """On Turin the id has eight bytes, and the bytes after them must be zero."""
    turin = bytes(range(1, 9)) + b"\x01".ljust(56, b"\x00")
    chip_id = turin if generation is Generation.TURIN else bytes(range(2, 66))
    evidence = simulated_evidence(generation, chip_id=chip_id)
    refused(Code.CHIP_ID_MISMATCH, evidence, simulated_policy(generation))


def test_a_leaf_that_has_expired_is_refused() -> None:
    late = AT_MS + int((7 * 365 * DAY + DAY).total_seconds() * 1000)
    lenient = simulated_policy(crl="optional")
    evidence = replace(simulated_evidence(), crl=None)
    refused(Code.CERTIFICATE_EXPIRED, evidence, lenient, at_ms=late)
    refused(Code.CERTIFICATE_EARLY, evidence, lenient, at_ms=AT_MS - 1)


def test_a_time_outside_all_validity_periods_is_refused() -> None:
    far = int(datetime(2999, 1, 1, tzinfo=UTC).timestamp() * 1000)
    for at_ms in (far, 2**53, 2**64, 10**400):
        refused(Code.CERTIFICATE_EXPIRED, simulated_evidence(), at_ms=at_ms)
    for at_ms in (0, -1, -(2**64)):
        refused(Code.CERTIFICATE_EARLY, simulated_evidence(), at_ms=at_ms)


def test_a_good_chip_is_verified() -> None:
    found = verified(evidence_of(CHIP))
    assert found.endorsement == Endorsement("Milan", CHIP.tcb, CHIP.chip_id, None)
    assert found.tcbs.current == Tcb(10, 0, 27, 222)
