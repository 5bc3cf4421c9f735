"""Policy checks on a genuine report: guest (step 7), launch (step 8), platform (step 9)."""

from collections.abc import Iterable

from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.policy import GenerationFloor, VerificationPolicy
from signer.attestation.verify.report import GUEST_POLICY_BITS, Report
from signer.attestation.verify.tcb import Tcb, Tcbs


def check_guest(report: Report, policy: VerificationPolicy) -> None:
    """Raise ``EvidenceError`` for a refused guest policy or VMPL (step 7)."""
    # No policy can accept DEBUG or MIGRATE_MA: both let another party read the guest's memory.
    if report.policy >> GUEST_POLICY_BITS["debug"] & 1:
        raise EvidenceError(
            Code.DEBUG_ALLOWED, "the host may debug this guest: read and write its memory"
        )
    if report.policy >> GUEST_POLICY_BITS["migrate_ma"] & 1:
        raise EvidenceError(Code.MIGRATION_ALLOWED, "a migration agent may move this guest")
    if report.vmpl > policy.vmpl_max:
        message = (
            f"the report is of VMPL {report.vmpl}, the policy accepts at most {policy.vmpl_max}"
        )
        raise EvidenceError(Code.VMPL_REFUSED, message)
    must_set, must_clear = policy.guest_policy_must_set, policy.guest_policy_must_clear
    if wrong := _wrong_bits(report.policy, must_set, must_clear):
        found = (
            f"the report's guest policy 0x{report.policy:x} violates guest_policy_must_set/clear"
        )
        message = f"{found} of the verification policy in the bits 0x{wrong:x}"
        raise EvidenceError(Code.GUEST_POLICY_REFUSED, message)


def check_workload(report: Report, policy: VerificationPolicy) -> None:
    """Raise ``EvidenceError`` unless the policy lists measurement and launch identity (step 8)."""
    measurement = _hex(report.measurement)
    if policy.measurements != "any" and measurement not in policy.measurements:
        message = f"the policy does not list {measurement} in measurements"
        raise EvidenceError(Code.MEASUREMENT_REFUSED, message)
    _check_identity("HOST_DATA", report.host_data, _as_tuple(policy.host_data))
    _check_identity("FAMILY_ID", report.family_id, _as_tuple(policy.family_id))
    _check_identity("IMAGE_ID", report.image_id, _as_tuple(policy.image_id))
    _check_identity("ID_KEY_DIGEST", report.id_key_digest, policy.id_key_digests)
    if policy.author_key_digests is not None and not report.author_key_enabled:
        message = "the guest was launched without an author key, the policy requires one"
        raise EvidenceError(Code.LAUNCH_IDENTITY_REFUSED, message)
    _check_identity("AUTHOR_KEY_DIGEST", report.author_key_digest, policy.author_key_digests)
    if report.guest_svn < policy.guest_svn_min:
        message = (
            f"GUEST_SVN is {report.guest_svn}, the policy requires at least {policy.guest_svn_min}"
        )
        raise EvidenceError(Code.GUEST_SVN_LOW, message)


def check_platform(
    report: Report, policy: VerificationPolicy, floor: GenerationFloor, tcbs: Tcbs
) -> None:
    """Raise ``EvidenceError`` for TCB, firmware or platform below the policy's floor (step 9)."""
    tcbs_to_check = {"REPORTED_TCB": tcbs.reported, "COMMITTED_TCB": tcbs.committed}
    if policy.launch_tcb_floor:
        tcbs_to_check["LAUNCH_TCB"] = tcbs.launch
    for name, tcb in tcbs_to_check.items():
        _check_floor(name, tcb, floor.tcb())
    if policy.current_tcb_committed and tcbs.current != tcbs.committed:
        message = "CURRENT_TCB is not committed: the host can still roll the firmware back"
        raise EvidenceError(Code.TCB_UNCOMMITTED, message)
    if report.committed_firmware < _version(floor.firmware_min):
        shown = ".".join(map(str, report.committed_firmware))
        message = (
            f"the committed firmware is {shown}, the policy requires at least {floor.firmware_min}"
        )
        raise EvidenceError(Code.FIRMWARE_LOW, message)
    must_set, must_clear = policy.platform_must_set, policy.platform_must_clear
    if wrong := _wrong_bits(report.platform_info, must_set, must_clear):
        found = f"PLATFORM_INFO 0x{report.platform_info:x}"
        message = (
            f"{found} violates platform_must_set/clear of the verification policy in the bits "
            f"0x{wrong:x}"
        )
        raise EvidenceError(Code.PLATFORM_REFUSED, message)
    if missing := int(floor.mitigations_required, 16) & ~report.current_mitigations:
        message = f"the required mitigations 0x{missing:x} are not active"
        raise EvidenceError(Code.MITIGATION_MISSING, message)


def _wrong_bits(value: int, must_set: str, must_clear: str) -> int:
    return (int(must_set, 16) & ~value) | (int(must_clear, 16) & value)


def _check_identity(name: str, value: bytes, accepted: Iterable[str] | None) -> None:
    if accepted is not None and _hex(value) not in accepted:
        message = f"the policy does not accept {name} {_hex(value)}"
        raise EvidenceError(Code.LAUNCH_IDENTITY_REFUSED, message)


def _check_floor(name: str, tcb: Tcb, floor: Tcb) -> None:
    if low := tcb.below(floor):
        actual, minimum = tcb._asdict(), floor._asdict()
        shown = ", ".join(f"{part} {actual[part] or 0} (at least {minimum[part]})" for part in low)
        raise EvidenceError(Code.TCB_LOW, f"{name} is below the policy's floor: {shown}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _as_tuple(value: str | None) -> tuple[str, ...] | None:
    return None if value is None else (value,)


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"
