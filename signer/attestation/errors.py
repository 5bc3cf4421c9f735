"""Why evidence is refused: one class for each step of the verification, a stable code each time.

``docs/attestation.md`` repeats the table of codes and a test compares them.
"""

from enum import IntEnum, StrEnum
from typing import ClassVar


class Step(IntEnum):
    """The steps of a verification, in their order; a step is tried only if all before it passed."""

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
        "the certificates lead to the pinned root, are in force, and no given list revokes them"
    ),
    Step.SIGNATURE: "the processor's key signed the report",
    Step.ENDORSEMENT: "the key was made for this TCB and this chip",
    Step.REPORT_DATA: "REPORT_DATA is the expected binding",
    Step.GUEST: "no debugging, no migration agent, VMPL and guest policy as asked",
    Step.WORKLOAD: "measurement and launch identity are accepted",
    Step.PLATFORM: "TCB, firmware and platform are at least as asked",
}


class Code(StrEnum):
    """What exactly was found; a code never changes its meaning."""

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
        Code.VERSION_UNKNOWN: "Its version is none of 2, 3 and 5.",
        Code.VERSION_REFUSED: "The policy does not accept its version.",
        Code.ALGORITHM_UNKNOWN: "It is signed with another algorithm than ECDSA P-384.",
        Code.RESERVED_SET: "Bits or bytes that must be zero are not.",
        Code.GUEST_POLICY_MALFORMED: "Bit 17 of POLICY is off, or a bit of unknown meaning is on.",
    },
    Step.SIGNING_KEY: {
        Code.SIGNING_KEY_UNKNOWN: "It is signed by no VCEK and no VLEK.",
        Code.SIGNING_KEY_REFUSED: "The policy does not accept this kind of signing key.",
        Code.GENERATION_UNKNOWN: "The processor is of no known generation.",
        Code.GENERATION_REFUSED: "The policy does not name the generation.",
        Code.TCB_MALFORMED: "A TCB has bytes that its generation does not.",
    },
    Step.CHAIN: {
        Code.CERTIFICATE_MALFORMED: (
            "A certificate cannot be read, repeats an extension, or has a signature in an odd form."
        ),
        Code.ROOT_UNPINNED: "The root is none of AMD's, and not the one the policy names.",
        Code.ROOT_OTHER_GENERATION: "The root is another generation's.",
        Code.INTERMEDIATE_UNPINNED: "The intermediate is not AMD's for this kind of key.",
        Code.CERTIFICATE_PROFILE: "Name, version, key or rights of a certificate are wrong.",
        Code.CERTIFICATE_ALGORITHM: "A certificate is signed otherwise than AMD signs.",
        Code.CERTIFICATE_SIGNATURE: "A certificate was not signed by the next one.",
        Code.CERTIFICATE_EARLY: "A certificate is not in force yet.",
        Code.CERTIFICATE_EXPIRED: "A certificate has expired.",
        Code.CRL_MISSING: "The policy asks for a revocation list and there is none.",
        Code.CRL_MALFORMED: (
            "The revocation list cannot be read, is only a part, or has a signature in an odd form."
        ),
        Code.CRL_UNTRUSTED: "The revocation list is not signed by this root.",
        Code.CRL_EARLY: "The revocation list is not in force yet.",
        Code.CRL_EXPIRED: "A newer revocation list is due.",
        Code.REVOKED: "The intermediate or the root is revoked.",
    },
    Step.SIGNATURE: {
        Code.SIGNATURE_INVALID: "The signature is not the leaf key's over this report.",
    },
    Step.ENDORSEMENT: {
        Code.EXTENSION_MALFORMED: "One of AMD's extensions in the leaf cannot be read.",
        Code.EXTENSION_MISSING: "The leaf lacks one of AMD's extensions.",
        Code.EXTENSION_UNEXPECTED: "The leaf has an extension that its kind has not.",
        Code.PRODUCT_MISMATCH: "The leaf is for another generation.",
        Code.TCB_MISMATCH: "The leaf is for another TCB than REPORTED_TCB.",
        Code.CHIP_ID_MASKED: "CHIP_ID or the chip's key is masked.",
        Code.CHIP_ID_MISMATCH: "The leaf is for another chip than CHIP_ID.",
        Code.CHIP_ID_DENIED: "The policy denies this chip.",
        Code.CSP_REFUSED: "The VLEK belongs to a provider that the policy does not name.",
    },
    Step.REPORT_DATA: {
        Code.REPORT_DATA_MISMATCH: "Another purpose, nonce, key, key set or configuration.",
    },
    Step.GUEST: {
        Code.DEBUG_ALLOWED: "The host may debug the guest: read and write its memory.",
        Code.MIGRATION_ALLOWED: "A migration agent may move the guest.",
        Code.VMPL_REFUSED: "The report was asked for at a higher VMPL than the policy accepts.",
        Code.GUEST_POLICY_REFUSED: "POLICY has a bit on or off that the policy wants otherwise.",
    },
    Step.WORKLOAD: {
        Code.MEASUREMENT_REFUSED: "The policy does not list MEASUREMENT.",
        Code.LAUNCH_IDENTITY_REFUSED: "Host data, family, image or a launch key is another.",
        Code.GUEST_SVN_LOW: "GUEST_SVN is below the policy's.",
    },
    Step.PLATFORM: {
        Code.TCB_LOW: "A component of a TCB is below the policy's floor.",
        Code.TCB_UNCOMMITTED: "The policy wants CURRENT_TCB committed and it is not.",
        Code.FIRMWARE_LOW: "The committed firmware is older than the policy's.",
        Code.PLATFORM_REFUSED: "PLATFORM_INFO has a bit on or off that the policy wants otherwise.",
        Code.MITIGATION_MISSING: "A mitigation that the policy asks for is not in force.",
    },
}


class AttestationError(Exception):
    """Evidence that does not prove what was asked: the step, a stable code, one sentence."""

    step: ClassVar[Step]

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class ReportFormError(AttestationError):
    """Step 1: bytes that are no report of an accepted version."""

    step = Step.REPORT


class SigningKeyError(AttestationError):
    """Step 2: a kind of signing key, or a generation, that is unknown or not accepted."""

    step = Step.SIGNING_KEY


class CertificateChainError(AttestationError):
    """Step 3: certificates that do not lead to a pinned root now."""

    step = Step.CHAIN


class ReportSignatureError(AttestationError):
    """Step 4: a report that the certified key did not sign."""

    step = Step.SIGNATURE


class EndorsementError(AttestationError):
    """Step 5: a key that is certified for another TCB, chip or provider."""

    step = Step.ENDORSEMENT


class ReportDataError(AttestationError):
    """Step 6: a report that binds something else than expected."""

    step = Step.REPORT_DATA


class GuestPolicyError(AttestationError):
    """Step 7: a guest that others may look into."""

    step = Step.GUEST


class WorkloadError(AttestationError):
    """Step 8: a launch that the policy does not know."""

    step = Step.WORKLOAD


class PlatformError(AttestationError):
    """Step 9: firmware or a platform weaker than the policy asks."""

    step = Step.PLATFORM
