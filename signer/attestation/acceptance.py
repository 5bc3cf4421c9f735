"""What a policy asks of a genuine report: its guest, its launch, its firmware."""

from collections.abc import Iterable

from signer.attestation.errors import Code, GuestPolicyError, PlatformError, WorkloadError
from signer.attestation.policy import GenerationFloor, VerificationPolicy
from signer.attestation.report import GUEST_POLICY_BITS, Report
from signer.attestation.tcb import Tcb, Tcbs


def check_guest(report: Report, policy: VerificationPolicy) -> None:
    """Raise ``GuestPolicyError`` for a guest into which others may look."""
    if report.policy >> GUEST_POLICY_BITS["debug"] & 1:
        raise GuestPolicyError(
            Code.DEBUG_ALLOWED, "the host may debug this guest: it reads and writes its memory"
        )
    if report.policy >> GUEST_POLICY_BITS["migrate_ma"] & 1:
        raise GuestPolicyError(Code.MIGRATION_ALLOWED, "a migration agent may move this guest")
    if report.vmpl > policy.vmpl_max:
        told = f"the report is of VMPL {report.vmpl}, the policy accepts up to {policy.vmpl_max}"
        raise GuestPolicyError(Code.VMPL_REFUSED, told)
    must_set, must_clear = policy.guest_policy_must_set, policy.guest_policy_must_clear
    if wrong := _wrong_bits(report.policy, must_set, must_clear):
        told = f"the guest's POLICY 0x{report.policy:x} is wrong in the bits 0x{wrong:x}"
        raise GuestPolicyError(Code.GUEST_POLICY_REFUSED, told)


def check_workload(report: Report, policy: VerificationPolicy) -> None:
    """Raise ``WorkloadError`` unless the policy knows what was launched."""
    measurement = _hex(report.measurement)
    if policy.measurements != "any" and measurement not in policy.measurements:
        told = f"the policy does not list the measurement {measurement}"
        raise WorkloadError(Code.MEASUREMENT_REFUSED, told)
    _check_identity("HOST_DATA", report.host_data, _one(policy.host_data))
    _check_identity("FAMILY_ID", report.family_id, _one(policy.family_id))
    _check_identity("IMAGE_ID", report.image_id, _one(policy.image_id))
    _check_identity("ID_KEY_DIGEST", report.id_key_digest, policy.id_key_digests)
    if policy.author_key_digests is not None and not report.author_key_enabled:
        told = "the guest was launched without an author key, the policy asks for one"
        raise WorkloadError(Code.LAUNCH_IDENTITY_REFUSED, told)
    _check_identity("AUTHOR_KEY_DIGEST", report.author_key_digest, policy.author_key_digests)
    if report.guest_svn < policy.guest_svn_min:
        told = f"GUEST_SVN is {report.guest_svn}, the policy asks for {policy.guest_svn_min}"
        raise WorkloadError(Code.GUEST_SVN_LOW, told)


def check_platform(
    report: Report, policy: VerificationPolicy, floor: GenerationFloor, tcbs: Tcbs
) -> None:
    """Raise ``PlatformError`` for firmware or a platform below the policy's."""
    held = {"REPORTED_TCB": tcbs.reported, "COMMITTED_TCB": tcbs.committed}
    if policy.launch_tcb_floor:
        held["LAUNCH_TCB"] = tcbs.launch
    for name, tcb in held.items():
        _check_floor(name, tcb, floor.tcb())
    if policy.current_tcb_committed and tcbs.current != tcbs.committed:
        told = "CURRENT_TCB is not committed: the firmware may still go back"
        raise PlatformError(Code.TCB_UNCOMMITTED, told)
    if report.committed_firmware < _version(floor.firmware_min):
        shown = ".".join(map(str, report.committed_firmware))
        told = f"the committed firmware is {shown}, the policy asks for {floor.firmware_min}"
        raise PlatformError(Code.FIRMWARE_LOW, told)
    must_set, must_clear = policy.platform_must_set, policy.platform_must_clear
    if wrong := _wrong_bits(report.platform_info, must_set, must_clear):
        told = f"PLATFORM_INFO 0x{report.platform_info:x} is wrong in the bits 0x{wrong:x}"
        raise PlatformError(Code.PLATFORM_REFUSED, told)
    if missing := int(floor.mitigations_required, 16) & ~report.current_mitigations:
        told = f"the mitigations 0x{missing:x} are not in force"
        raise PlatformError(Code.MITIGATION_MISSING, told)


def _wrong_bits(value: int, must_set: str, must_clear: str) -> int:
    return (int(must_set, 16) & ~value) | (int(must_clear, 16) & value)


def _check_identity(name: str, value: bytes, accepted: Iterable[str] | None) -> None:
    if accepted is not None and _hex(value) not in accepted:
        told = f"{name} is {_hex(value)}, which the policy does not accept"
        raise WorkloadError(Code.LAUNCH_IDENTITY_REFUSED, told)


def _check_floor(name: str, tcb: Tcb, floor: Tcb) -> None:
    if low := tcb.below(floor):
        own, least = tcb._asdict(), floor._asdict()
        shown = ", ".join(f"{part} {own[part] or 0} (at least {least[part]})" for part in low)
        raise PlatformError(Code.TCB_LOW, f"{name} is below the policy's floor: {shown}")


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")))


def _one(value: str | None) -> tuple[str, ...] | None:
    return None if value is None else (value,)


def _hex(value: bytes) -> str:
    return f"0x{value.hex()}"
