"""Verification errors: one exception class per step, and stable codes with their meaning.

A test compares the codes with the tables of ``docs/attestation.md``.
"""

from enum import IntEnum, StrEnum
from typing import ClassVar


class Step(IntEnum):
    """The steps of a verification, in order. A step runs only if all earlier ones passed."""

    REPORT = 1
    SIGNING_KEY = 2
    CHAIN = 3
    SIGNATURE = 4
    ENDORSEMENT = 5
    REPORT_DATA = 6
    GUEST = 7
    WORKLOAD = 8
    PLATFORM = 9


PROVES: dict[Step, str] = {
    Step.REPORT: "the report is well formed: size, version, reserved bits and bytes",
    Step.SIGNING_KEY: "signing key and processor generation are accepted",
    Step.CHAIN: (
        "the certificates lead to the pinned root, are valid, and no supplied list revokes them"
    ),
    Step.SIGNATURE: "the processor's key signed the report",
    Step.ENDORSEMENT: "the key was made for this TCB and this chip",
    Step.REPORT_DATA: "REPORT_DATA is the expected binding",
    Step.GUEST: "no debugging, no migration agent, VMPL and guest policy as required",
    Step.WORKLOAD: "measurement and launch identity are accepted",
    Step.PLATFORM: "TCB, firmware and platform reach the policy's floor",
}


class Code(StrEnum):
    """Reason of a refusal. A code never changes its meaning."""

    REPORT_SIZE = "report_size"
    VERSION_UNKNOWN = "version_unknown"
    VERSION_REFUSED = "version_refused"
    ALGORITHM_UNKNOWN = "algorithm_unknown"
    RESERVED_SET = "reserved_set"
    GUEST_POLICY_MALFORMED = "guest_policy_malformed"

    SIGNING_KEY_UNKNOWN = "signing_key_unknown"
    SIGNING_KEY_REFUSED = "signing_key_refused"
    GENERATION_UNKNOWN = "generation_unknown"
    GENERATION_REFUSED = "generation_refused"
    TCB_MALFORMED = "tcb_malformed"

    CERTIFICATE_MALFORMED = "certificate_malformed"
    ROOT_UNPINNED = "root_unpinned"
    ROOT_OTHER_GENERATION = "root_other_generation"
    INTERMEDIATE_UNPINNED = "intermediate_unpinned"
    CERTIFICATE_PROFILE = "certificate_profile"
    CERTIFICATE_ALGORITHM = "certificate_algorithm"
    CERTIFICATE_SIGNATURE = "certificate_signature"
    CERTIFICATE_EARLY = "certificate_early"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CRL_MISSING = "crl_missing"
    CRL_MALFORMED = "crl_malformed"
    CRL_UNTRUSTED = "crl_untrusted"
    CRL_EARLY = "crl_early"
    CRL_EXPIRED = "crl_expired"
    REVOKED = "revoked"

    SIGNATURE_INVALID = "signature_invalid"

    EXTENSION_MALFORMED = "extension_malformed"
    EXTENSION_MISSING = "extension_missing"
    EXTENSION_UNEXPECTED = "extension_unexpected"
    PRODUCT_MISMATCH = "product_mismatch"
    TCB_MISMATCH = "tcb_mismatch"
    CHIP_ID_MASKED = "chip_id_masked"
    CHIP_ID_MISMATCH = "chip_id_mismatch"
    CHIP_ID_DENIED = "chip_id_denied"
    CSP_REFUSED = "csp_refused"

    REPORT_DATA_MISMATCH = "report_data_mismatch"

    DEBUG_ALLOWED = "debug_allowed"
    MIGRATION_ALLOWED = "migration_allowed"
    VMPL_REFUSED = "vmpl_refused"
    GUEST_POLICY_REFUSED = "guest_policy_refused"

    MEASUREMENT_REFUSED = "measurement_refused"
    LAUNCH_IDENTITY_REFUSED = "launch_identity_refused"
    GUEST_SVN_LOW = "guest_svn_low"

    TCB_LOW = "tcb_low"
    TCB_UNCOMMITTED = "tcb_uncommitted"
    FIRMWARE_LOW = "firmware_low"
    PLATFORM_REFUSED = "platform_refused"
    MITIGATION_MISSING = "mitigation_missing"


MEANING: dict[Step, dict[Code, str]] = {
    Step.REPORT: {
        Code.REPORT_SIZE: "It is not 1184 bytes.",
        Code.VERSION_UNKNOWN: "Its version is not 2, 3 or 5.",
        Code.VERSION_REFUSED: "The policy does not accept its version.",
        Code.ALGORITHM_UNKNOWN: "It is not signed with ECDSA P-384.",
        Code.RESERVED_SET: "Reserved bits or bytes are not zero.",
        Code.GUEST_POLICY_MALFORMED: "Bit 17 of POLICY is 0, or an undefined bit is 1.",
    },
    Step.SIGNING_KEY: {
        Code.SIGNING_KEY_UNKNOWN: "It is signed by neither a VCEK nor a VLEK.",
        Code.SIGNING_KEY_REFUSED: "The policy does not accept this kind of signing key.",
        Code.GENERATION_UNKNOWN: "The processor generation is unknown.",
        Code.GENERATION_REFUSED: "The policy does not list the generation.",
        Code.TCB_MALFORMED: "A TCB sets bytes that are reserved on its generation.",
    },
    Step.CHAIN: {
        Code.CERTIFICATE_MALFORMED: (
            "A certificate is malformed, repeats an extension, or has a non-canonical signature."
        ),
        Code.ROOT_UNPINNED: "The root is neither AMD's nor the one that the policy names.",
        Code.ROOT_OTHER_GENERATION: "The root is that of another generation.",
        Code.INTERMEDIATE_UNPINNED: "The intermediate is not AMD's for this kind of key.",
        Code.CERTIFICATE_PROFILE: "Name, version, key or rights of a certificate are wrong.",
        Code.CERTIFICATE_ALGORITHM: "A certificate is not signed with AMD's algorithm.",
        Code.CERTIFICATE_SIGNATURE: "A certificate was not signed by the one above it.",
        Code.CERTIFICATE_EARLY: "A certificate is not valid yet.",
        Code.CERTIFICATE_EXPIRED: "A certificate has expired.",
        Code.CRL_MISSING: "The policy requires a revocation list, and the evidence has none.",
        Code.CRL_MALFORMED: (
            "The revocation list is malformed, partial, or has a non-canonical signature."
        ),
        Code.CRL_UNTRUSTED: "The root did not sign the revocation list.",
        Code.CRL_EARLY: "The revocation list is not valid yet.",
        Code.CRL_EXPIRED: "The revocation list has expired.",
        Code.REVOKED: "The intermediate or the root is revoked.",
    },
    Step.SIGNATURE: {
        Code.SIGNATURE_INVALID: "The leaf's key did not sign this report.",
    },
    Step.ENDORSEMENT: {
        Code.EXTENSION_MALFORMED: "An AMD extension of the leaf is malformed.",
        Code.EXTENSION_MISSING: "The leaf lacks an AMD extension.",
        Code.EXTENSION_UNEXPECTED: "The leaf has an AMD extension that its kind must not have.",
        Code.PRODUCT_MISMATCH: "The leaf is for another generation.",
        Code.TCB_MISMATCH: "The leaf is for another TCB than REPORTED_TCB.",
        Code.CHIP_ID_MASKED: "CHIP_ID or the chip key is masked.",
        Code.CHIP_ID_MISMATCH: "The leaf is for another chip than CHIP_ID.",
        Code.CHIP_ID_DENIED: "The policy denies this chip.",
        Code.CSP_REFUSED: "The policy does not list the VLEK's cloud provider.",
    },
    Step.REPORT_DATA: {
        Code.REPORT_DATA_MISMATCH: (
            "It binds another purpose, nonce, key, key set or configuration."
        ),
    },
    Step.GUEST: {
        Code.DEBUG_ALLOWED: "The host may debug the guest: read and write its memory.",
        Code.MIGRATION_ALLOWED: "A migration agent may move the guest.",
        Code.VMPL_REFUSED: "The VMPL of the request is above the policy's maximum.",
        Code.GUEST_POLICY_REFUSED: "POLICY does not match the policy's two bit masks.",
    },
    Step.WORKLOAD: {
        Code.MEASUREMENT_REFUSED: "The policy does not list MEASUREMENT.",
        Code.LAUNCH_IDENTITY_REFUSED: "The policy does not accept host data, family, image or key.",
        Code.GUEST_SVN_LOW: "GUEST_SVN is below the policy's minimum.",
    },
    Step.PLATFORM: {
        Code.TCB_LOW: "A component of a TCB is below the policy's floor.",
        Code.TCB_UNCOMMITTED: "The policy requires CURRENT_TCB to be committed, and it is not.",
        Code.FIRMWARE_LOW: "The committed firmware is older than the policy's minimum.",
        Code.PLATFORM_REFUSED: "PLATFORM_INFO does not match the policy's two bit masks.",
        Code.MITIGATION_MISSING: "A mitigation that the policy requires is not active.",
    },
}


class AttestationError(Exception):
    """Evidence was refused. Has the failing step, a stable code, and a sentence."""

    step: ClassVar[Step]

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class ReportFormError(AttestationError):
    """Step 1: the bytes are not a report of an accepted version."""

    step = Step.REPORT


class SigningKeyError(AttestationError):
    """Step 2: the kind of signing key or the generation is unknown or not accepted."""

    step = Step.SIGNING_KEY


class CertificateChainError(AttestationError):
    """Step 3: the certificates do not lead to a pinned root, are not valid, or are revoked."""

    step = Step.CHAIN


class ReportSignatureError(AttestationError):
    """Step 4: the certified key did not sign the report."""

    step = Step.SIGNATURE


class EndorsementError(AttestationError):
    """Step 5: the key is certified for another TCB, chip or cloud provider."""

    step = Step.ENDORSEMENT


class ReportDataError(AttestationError):
    """Step 6: REPORT_DATA is not the expected binding."""

    step = Step.REPORT_DATA


class GuestPolicyError(AttestationError):
    """Step 7: the guest policy lets others read the guest, or the policy refuses it."""

    step = Step.GUEST


class WorkloadError(AttestationError):
    """Step 8: the policy does not accept measurement or launch identity."""

    step = Step.WORKLOAD


class PlatformError(AttestationError):
    """Step 9: TCB, firmware or platform is below the policy's floor."""

    step = Step.PLATFORM
