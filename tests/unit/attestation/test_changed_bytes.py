"""Every flipped, missing or extra byte of evidence is detected."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from signer.attestation.verify.errors import EvidenceError
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from tests.harness.builders.attestation import (
    VLEK_TERMS,
    simulated_evidence,
    simulated_policy,
    verified,
    with_chain,
)
from tests.harness.builders.vectors import report_cases

PARTS: dict[str, tuple[Callable[[Evidence], bytes], Callable[[Evidence, bytes], Evidence]]] = {
    "report": (lambda one: one.report, lambda one, raw: replace(one, report=raw)),
    "leaf": (lambda one: one.certificates.leaf, lambda one, raw: with_chain(one, leaf=raw)),
    "intermediate": (
        lambda one: one.certificates.intermediate,
        lambda one, raw: with_chain(one, intermediate=raw),
    ),
    "root": (lambda one: one.certificates.root, lambda one, raw: with_chain(one, root=raw)),
    "list": (lambda one: one.crl or b"", lambda one, raw: replace(one, crl=raw)),
}


def flipped(raw: bytes) -> Iterator[bytes]:
    for at, byte in enumerate(raw):
        for mask in (1 << at % 8, 0xFF):
            yield raw[:at] + bytes((byte ^ mask,)) + raw[at + 1 :]


@pytest.mark.parametrize("part", PARTS)
def test_every_flipped_byte_is_detected(part: str, capsys: pytest.CaptureFixture[str]) -> None:
    evidence, policy = simulated_evidence(), simulated_policy()
    verified(evidence, policy)
    get, put = PARTS[part]
    count = 0
    for raw in flipped(get(evidence)):
        count += 1
        with pytest.raises(EvidenceError):
            verified(put(evidence, raw), policy)
    report_cases(capsys, f"{part}: {count} flips refused")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw + b"\x00", lambda _: b""])
def test_truncated_and_extended_evidence_is_refused(
    part: str, change: Callable[[bytes], bytes]
) -> None:
    evidence = simulated_evidence()
    get, put = PARTS[part]
    with pytest.raises(EvidenceError):
        verified(put(evidence, change(get(evidence))))


@pytest.mark.parametrize("generation", Generation)
@pytest.mark.parametrize("kind", SigningKey)
def test_evidence_of_every_kind_verifies_and_says_that_it_is_simulated(
    generation: Generation, kind: SigningKey
) -> None:
    terms = VLEK_TERMS if kind is SigningKey.VLEK else {}
    evidence = simulated_evidence(generation, kind)
    found = verified(evidence, simulated_policy(generation, **terms))
    assert (found.simulated, found.revocation_checked) == (True, True)
    assert (found.generation, found.signing_key) == (generation, kind)
    assert found.tcbs.reported == found.endorsement.tcb
