"""Verifier of attestation evidence: nine steps in a fixed order, none of which can be skipped.

It is a pure function of evidence, policy, expected REPORT_DATA and time. The parsed bytes are the
signed bytes. A report contains no time: only the verifier's own nonce, in the expected REPORT_DATA,
proves that it is fresh.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from signer.attestation.verify.acceptance import check_guest, check_platform, check_workload
from signer.attestation.verify.binding import check_report_data
from signer.attestation.verify.certificates import check_chain, root_digest
from signer.attestation.verify.endorsement import (
    Endorsement,
    check_chip,
    check_endorsement,
    check_provider,
    read_endorsement,
)
from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.evidence import EncodedChain, Evidence
from signer.attestation.verify.generations import PROFILES, generation_of_cpu, generation_of_root
from signer.attestation.verify.policy import GenerationFloor, VerificationPolicy
from signer.attestation.verify.report import Report, SigningKey, parse
from signer.attestation.verify.revocation import check_revocation
from signer.attestation.verify.tcb import Generation, Tcb, Tcbs, decode_tcb

VERSION_WITH_CPUID = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Times outside of datetime's range are clamped: no certificate is valid at either end.
_AT_MS_MAX = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Verified:
    """The result of a verification in which all nine steps passed.

    ``simulated``: the root is that of a simulated platform, so nothing is proven about a processor.
    ``revocation_checked``: the evidence had a revocation list, which a policy can make optional.
    """

    report: Report
    generation: Generation
    signing_key: SigningKey
    tcbs: Tcbs
    endorsement: Endorsement
    simulated: bool
    revocation_checked: bool
    policy_digest: str
    at_ms: int


def verify(
    evidence: Evidence, policy: VerificationPolicy, report_data: bytes, at_ms: int
) -> Verified:
    """Verify evidence as of a time (ms since 1970); raise ``EvidenceError``.

    ``report_data`` are the 64 bytes that the verifier expects (``Binding.report_data``). The code
    of the error names the first failing step.
    """
    at = _EPOCH + timedelta(milliseconds=min(max(0, at_ms), _AT_MS_MAX))
    # 1. The report is well formed. Its contents are untrusted until step 4.
    report = parse(evidence.report)
    _check_version(report, policy)
    # 2. The policy accepts the kind of signing key and the processor generation.
    kind = _signing_key(report, policy)
    generation = _generation(report, evidence.certificates)
    floor = _floor(generation, policy)
    tcbs = _tcbs(report, generation)
    # 3. The certificate chain ends in the pinned root, is valid at that time and not revoked.
    chain = check_chain(evidence.certificates, generation, kind, policy.simulated_root, at)
    revocation_checked = check_revocation(
        evidence.crl, chain, at, required=policy.crl == "required"
    )
    # 4. The leaf's key signed exactly the bytes that step 1 parsed.
    _check_signature(report, chain.leaf_key)
    # 5. AMD certified that key for this TCB, and for this chip or cloud provider.
    endorsement = read_endorsement(chain.leaf, generation, kind)
    check_endorsement(endorsement, report, tcbs.reported)
    masked_allowed = policy.masked_chip_allowed
    check_chip(report, policy.chip_ids_denied, masked_allowed=masked_allowed)
    check_provider(endorsement, policy.csp_ids)
    # 6. REPORT_DATA binds the verifier's nonce, so the report is fresh, and the claims.
    check_report_data(report, report_data)
    # 7. The guest policy allows neither debugging nor migration, and the VMPL is accepted.
    check_guest(report, policy)
    # 8. The policy lists the measurement and launch identity.
    check_workload(report, policy)
    # 9. TCB, firmware and platform reach the policy's floor.
    check_platform(report, policy, floor, tcbs)
    return Verified(
        report=report,
        generation=generation,
        signing_key=kind,
        tcbs=tcbs,
        endorsement=endorsement,
        simulated=chain.simulated,
        revocation_checked=revocation_checked,
        policy_digest=policy.digest(),
        at_ms=at_ms,
    )


def _check_version(report: Report, policy: VerificationPolicy) -> None:
    if report.version not in policy.versions:
        message = f"the policy does not accept reports of version {report.version}"
        raise EvidenceError(Code.VERSION_REFUSED, message)


def _signing_key(report: Report, policy: VerificationPolicy) -> SigningKey:
    kind = report.signing_key
    if kind is None:
        raise EvidenceError(
            Code.SIGNING_KEY_UNKNOWN,
            "the report names neither a VCEK nor a VLEK as its signing key",
        )
    if kind not in policy.signing_keys:
        message = (
            f"a {kind.upper()} signed the report, and the policy does not list it in signing_keys"
        )
        raise EvidenceError(Code.SIGNING_KEY_REFUSED, message)
    return kind


def _generation(report: Report, certificates: EncodedChain) -> Generation:
    """Return the generation by CPUID, or for version 2, which has none, by the pinned root."""
    if report.version < VERSION_WITH_CPUID:
        found = generation_of_root(root_digest(certificates))
        message = "a report of version 2 names no processor, and its root is not one of AMD's"
    else:
        family, model = report.cpu_family, report.cpu_model
        found = generation_of_cpu(family, model)
        message = f"the processor generation of family {family:02x}h, model {model:02x}h is unknown"
    if found is None:
        raise EvidenceError(Code.GENERATION_UNKNOWN, message)
    return found


def _floor(generation: Generation, policy: VerificationPolicy) -> GenerationFloor:
    floor = policy.floor(generation)
    if floor is None:
        message = f"the policy does not list {generation} in generations"
        raise EvidenceError(Code.GENERATION_REFUSED, message)
    return floor


def _tcbs(report: Report, generation: Generation) -> Tcbs:
    def decoded(raw: bytes) -> Tcb:
        tcb = decode_tcb(raw, PROFILES[generation].layout)
        if tcb is None:
            message = f"the TCB 0x{raw.hex()} sets bytes that are reserved on {generation}"
            raise EvidenceError(Code.TCB_MALFORMED, message)
        return tcb

    return Tcbs(
        current=decoded(report.current_tcb),
        reported=decoded(report.reported_tcb),
        committed=decoded(report.committed_tcb),
        launch=decoded(report.launch_tcb),
    )


def _check_signature(report: Report, key: EllipticCurvePublicKey) -> None:
    r, s = (int.from_bytes(part, "little") for part in (report.signature_r, report.signature_s))
    try:
        key.verify(encode_dss_signature(r, s), report.signed, ECDSA(SHA384()))
    except (InvalidSignature, ValueError):
        message = (
            "the leaf's key did not sign the report: it was changed, or is another processor's"
        )
        raise EvidenceError(Code.SIGNATURE_INVALID, message) from None
