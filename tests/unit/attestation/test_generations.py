"""Differences between processor generations, for each pair of them."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.generations import PROFILES
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation, Tcb, encode_tcb
from signer.attestation.verify.verify import verify
from tests.harness.builders.attestation import (
    AT_MS,
    BINDING,
    VLEK_TERMS,
    crl,
    platform,
    refused,
    simulated_evidence,
    simulated_policy,
    verified,
)
from tests.harness.builders.vectors import report_cases

PAIRS = list(permutations(Generation, 2))
KINDS = [(generation, kind) for generation in Generation for kind in SigningKey]


def terms(kind: SigningKey) -> dict[str, Any]:
    return VLEK_TERMS if kind is SigningKey.VLEK else {}


def flipped(raw: bytes) -> Iterator[bytes]:
    for at, byte in enumerate(raw):
        yield raw[:at] + bytes((byte ^ 1 << at % 8,)) + raw[at + 1 :]


@pytest.mark.parametrize(("generation", "kind"), KINDS)
@pytest.mark.parametrize("version", [3, 5])
def test_each_version_of_each_generation_verifies(
    generation: Generation, kind: SigningKey, version: int
) -> None:
    evidence = simulated_evidence(generation, kind, version=version)
    found = verified(evidence, simulated_policy(generation, **terms(kind)))
    assert (found.generation, found.report.version) == (generation, version)


@pytest.mark.parametrize(("generation", "kind"), KINDS)
def test_every_byte_of_each_generations_report_is_verified(
    generation: Generation, kind: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    good, policy = simulated_evidence(generation, kind), simulated_policy(generation, **terms(kind))
    verified(good, policy)
    count = 0
    for raw in flipped(good.report):
        count += 1
        with pytest.raises(EvidenceError):
            verified(replace(good, report=raw), policy)
    report_cases(capsys, f"{generation} {kind}: {count} flips refused")


@pytest.mark.parametrize(("mine", "other"), PAIRS)
def test_a_report_under_another_generations_certificates_is_refused(
    mine: Generation, other: Generation
) -> None:
    swapped = replace(
        simulated_evidence(mine), certificates=platform(other).certificates, crl=crl(other)
    )
    policy = simulated_policy(mine, simulated_root=simulated_policy(other).simulated_root)
    refused(Code.CERTIFICATE_PROFILE, swapped, policy)


@pytest.mark.parametrize(("mine", "other"), PAIRS)
def test_another_generations_revocation_list_is_refused(
    mine: Generation, other: Generation
) -> None:
    swapped = replace(simulated_evidence(mine), crl=crl(other))
    refused(Code.CRL_UNTRUSTED, swapped, simulated_policy(mine))


@pytest.mark.parametrize(("mine", "other"), PAIRS)
@pytest.mark.parametrize("field", ["reported_tcb", "current_tcb", "committed_tcb", "launch_tcb"])
def test_a_tcb_in_another_generations_layout_is_refused_or_read_as_its_own(
    mine: Generation, other: Generation, field: str
) -> None:
    """The byte of the boot loader on one generation is that of FMC on another."""
    fmc = 1 if other is Generation.TURIN else None
    tcb = Tcb(boot_loader=10, tee=3, snp=27, microcode=222, fmc=fmc)
    raw = encode_tcb(tcb, PROFILES[other].layout)
    fields: dict[str, Any] = {field: raw}
    evidence = simulated_evidence(mine, **fields)
    if PROFILES[mine].layout == PROFILES[other].layout:
        code = Code.TCB_MISMATCH if field == "reported_tcb" else None
    else:
        code = Code.TCB_MALFORMED
    if code is None:
        verified(evidence, simulated_policy(mine))
    else:
        refused(code, evidence, simulated_policy(mine))


@pytest.mark.parametrize("size", [0, 32, 63, 65])
def test_expected_bytes_of_another_length_never_match(size: int) -> None:
    refused(Code.REPORT_DATA_MISMATCH, simulated_evidence(), report_data=bytes(size))


def test_a_prefix_of_the_expected_bytes_does_not_match() -> None:
    begun = BINDING.report_data()[:48]
    refused(Code.REPORT_DATA_MISMATCH, simulated_evidence(), report_data=begun)


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("more", [b"\x00", b"\x30\x00", bytes(24)])
def test_trailing_bytes_are_refused_everywhere(generation: Generation, more: bytes) -> None:
    good, policy = simulated_evidence(generation), simulated_policy(generation)
    chain = good.certificates
    longer: list[Evidence] = [
        replace(good, report=good.report + more),
        replace(good, crl=(good.crl or b"") + more),
        replace(good, certificates=replace(chain, leaf=chain.leaf + more)),
        replace(good, certificates=replace(chain, intermediate=chain.intermediate + more)),
        replace(good, certificates=replace(chain, root=chain.root + more)),
    ]
    for evidence in longer:
        with pytest.raises(EvidenceError):
            verify(evidence, policy, BINDING.report_data(), AT_MS)
