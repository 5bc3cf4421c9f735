"""Evidence with any set of defects is rejected at the first step that must reject it."""

from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA384
from hypothesis import given
from hypothesis import strategies as st

from signer.attestation.verify.certificates import AMD_PSS
from signer.attestation.verify.errors import EvidenceError, Step
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from signer.attestation.verify.verify import verify
from tests.harness.builders.attestation import BINDING, authority_keys, with_chain
from tests.harness.builders.evidence_defects import HARMLESS, ODDITIES, Defect, defective_evidence
from tests.harness.sizes import effort

KINDS = [(generation, kind) for generation in Generation for kind in SigningKey]


def failed_at(generation: Generation, kind: SigningKey, defects: list[Defect]) -> int | None:
    """Return the step that rejects evidence with these defects."""
    evidence, policy, at_ms = defective_evidence(generation, kind, defects)
    try:
        found = verify(evidence, policy, BINDING.report_data(), at_ms)
    except EvidenceError as error:
        return int(error.step)
    assert (found.generation, found.signing_key, found.simulated) == (generation, kind, True)
    return None


def expected_step(defects: list[Defect]) -> int | None:
    return min((one.step for one in defects if one.step), default=None)


def among(defects: tuple[Defect, ...], generation: Generation, kind: SigningKey) -> list[Defect]:
    return [one for one in defects if generation in one.of and kind in one.kinds]


def test_each_single_defect_fails_at_its_step_in_every_generation_and_kind() -> None:
    for generation, kind in KINDS:
        assert failed_at(generation, kind, []) is None
        for one in among(ODDITIES, generation, kind):
            assert failed_at(generation, kind, [one]) == one.step, (generation, kind, one)


def test_every_step_has_a_defect() -> None:
    assert {one.step for one in ODDITIES} == {None, *Step}


@effort(0.6)
@given(st.data(), st.sampled_from(KINDS))
def test_several_defects_fail_at_the_first_of_their_steps(
    data: st.DataObject, of: tuple[Generation, SigningKey]
) -> None:
    drawn = st.lists(st.sampled_from(among(ODDITIES, *of)), unique_by=lambda one: one.slot)
    defects = data.draw(drawn)
    assert failed_at(*of, defects) == expected_step(defects)


@effort(0.3)
@given(st.data(), st.sampled_from(KINDS))
def test_all_variations_of_real_evidence_are_accepted_together(
    data: st.DataObject, of: tuple[Generation, SigningKey]
) -> None:
    drawn = st.lists(st.sampled_from(among(HARMLESS, *of)), unique_by=lambda one: one.slot)
    assert failed_at(*of, data.draw(drawn)) is None


@effort(0.2)
@given(st.data(), st.sampled_from(KINDS))
def test_any_bytes_signed_by_the_intermediate_raise_only_refusals(
    data: st.DataObject, of: tuple[Generation, SigningKey]
) -> None:
    """A defective leaf passes or is rejected by its step; no library exception gets out."""
    evidence, policy, at_ms = defective_evidence(*of, [])
    good = evidence.certificates.leaf
    signed = bytearray(x509.load_der_x509_certificate(good).tbs_certificate_bytes)
    begins = good.index(signed)
    turned = st.tuples(st.integers(0, len(signed) - 1), st.integers(1, 255))
    for at, mask in data.draw(st.lists(turned, min_size=1, max_size=3)):
        signed[at] ^= mask
    signature = authority_keys().intermediates[of[1]].sign(bytes(signed), AMD_PSS, SHA384())
    between = good[begins + len(signed) : -len(signature)]
    leaf = good[:begins] + bytes(signed) + between + signature
    with suppress(EvidenceError):
        verify(with_chain(evidence, leaf=leaf), policy, BINDING.report_data(), at_ms)
