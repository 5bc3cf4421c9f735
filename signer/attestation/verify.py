"""The verification of a report: nine steps in a fixed order, and no way around one.

Everything is an input: the evidence, the policy, what REPORT_DATA must be, and the time. What is
parsed is what was signed. A report has no time of its own: that it is fresh is shown only by a
nonce of the verifier's in the expected REPORT_DATA.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from signer.attestation.acceptance import check_guest, check_platform, check_workload
from signer.attestation.binding import check_report_data
from signer.attestation.certificates import EncodedChain, check_chain, root_digest
from signer.attestation.endorsement import (
    Endorsement,
    check_chip,
    check_endorsement,
    check_provider,
    read_endorsement,
)
from signer.attestation.errors import Code, ReportFormError, ReportSignatureError, SigningKeyError
from signer.attestation.generations import (
    PROFILES,
    Generation,
    generation_of_cpu,
    generation_of_root,
)
from signer.attestation.policy import GenerationFloor, VerificationPolicy
from signer.attestation.report import Report, SigningKey, parse
from signer.attestation.revocation import check_revocation
from signer.attestation.tcb import Tcb, Tcbs, decode_tcb

VERSION_WITH_CPUID = 3
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# No certificate is in force before the epoch, nor at the end of what a datetime can say.
_AT_MS_MAX = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verifier is given, all of it untrusted; certificates and revocation list in DER."""

    report: bytes
    certificates: EncodedChain
    crl: bytes | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """What is proven once all nine steps passed.

    ``simulated``: signed by a simulated platform, so that nothing is proven about any processor.
    ``revocation_checked``: there was a revocation list; a policy may go without.
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
    """Return what the evidence proves at a time (ms since 1970), or raise ``AttestationError``.

    ``report_data`` are the 64 bytes that the verifier expects (``Binding.report_data``). The first
    step that fails raises its own class of error.
    """
    at = _EPOCH + timedelta(milliseconds=min(max(0, at_ms), _AT_MS_MAX))
    # 1. The report's form.
    report = parse(evidence.report)
    _check_version(report, policy)
    # 2. What kind of key signed it, on what kind of processor.
    kind = _signing_key(report, policy)
    generation = _generation(report, evidence.certificates)
    floor = _floor(generation, policy)
    tcbs = _tcbs(report, generation)
    # 3. The certificates up to the pinned root, and whether one is revoked.
    chain = check_chain(evidence.certificates, generation, kind, policy.simulated_root, at)
    looked = check_revocation(evidence.crl, chain, at, required=policy.crl == "required")
    # 4. The signature over the very bytes that were parsed.
    _check_signature(report, chain.leaf_key)
    # 5. The key is of this TCB, this chip, this provider.
    endorsement = read_endorsement(chain.leaf, generation, kind)
    check_endorsement(endorsement, report, tcbs.reported)
    masked_allowed = policy.masked_chip_allowed
    check_chip(report, policy.chip_ids_denied, masked_allowed=masked_allowed)
    check_provider(endorsement, policy.csp_ids)
    # 6. The verifier's nonce, and all that is bound with it.
    check_report_data(report, report_data)
    # 7. Nobody else sees into the guest.
    check_guest(report, policy)
    # 8. What was launched.
    check_workload(report, policy)
    # 9. On which firmware.
    check_platform(report, policy, floor, tcbs)
    return Verified(
        report=report,
        generation=generation,
        signing_key=kind,
        tcbs=tcbs,
        endorsement=endorsement,
        simulated=chain.simulated,
        revocation_checked=looked,
        policy_digest=policy.digest(),
        at_ms=at_ms,
    )


def _check_version(report: Report, policy: VerificationPolicy) -> None:
    if report.version not in policy.versions:
        told = f"the policy does not accept reports of version {report.version}"
        raise ReportFormError(Code.VERSION_REFUSED, told)


def _signing_key(report: Report, policy: VerificationPolicy) -> SigningKey:
    kind = report.signing_key
    if kind is None:
        raise SigningKeyError(Code.SIGNING_KEY_UNKNOWN, "no VCEK and no VLEK signed the report")
    if kind not in policy.signing_keys:
        told = f"a {kind.upper()} signed the report, which the policy does not accept"
        raise SigningKeyError(Code.SIGNING_KEY_REFUSED, told)
    return kind


def _generation(report: Report, certificates: EncodedChain) -> Generation:
    """Return the generation by CPUID; version 2 has none, so there the pinned root tells it."""
    if report.version < VERSION_WITH_CPUID:
        found = generation_of_root(root_digest(certificates))
        told = "a report of version 2 does not name its processor, and its root is none of AMD's"
    else:
        family, model = report.cpu_family, report.cpu_model
        found = generation_of_cpu(family, model)
        told = f"the processor {family:02x}h/{model:02x}h is of no known generation"
    if found is None:
        raise SigningKeyError(Code.GENERATION_UNKNOWN, told)
    return found


def _floor(generation: Generation, policy: VerificationPolicy) -> GenerationFloor:
    floor = policy.floor(generation)
    if floor is None:
        told = f"the policy does not name the generation {generation}"
        raise SigningKeyError(Code.GENERATION_REFUSED, told)
    return floor


def _tcbs(report: Report, generation: Generation) -> Tcbs:
    def decoded(raw: bytes) -> Tcb:
        tcb = decode_tcb(raw, PROFILES[generation].layout)
        if tcb is None:
            told = f"the TCB 0x{raw.hex()} has bytes that {generation} has not"
            raise SigningKeyError(Code.TCB_MALFORMED, told)
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
        told = "the report was changed, or another processor signed it"
        raise ReportSignatureError(Code.SIGNATURE_INVALID, told) from None
