"""Errors of this package, and the stable codes of refused evidence; ``meanings`` explains them."""

from enum import IntEnum, StrEnum
from typing import Self


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


class Code(StrEnum):
    """Why evidence is refused. A code never changes its meaning, and belongs to one step."""

    step: Step

    def __new__(cls, code: str, step: Step) -> Self:
        """Return a code with its step."""
        made = str.__new__(cls, code)
        made._value_, made.step = code, step
        return made

    REPORT_SIZE = "report_size", Step.REPORT
    VERSION_UNKNOWN = "version_unknown", Step.REPORT
    VERSION_REFUSED = "version_refused", Step.REPORT
    ALGORITHM_UNKNOWN = "algorithm_unknown", Step.REPORT
    RESERVED_SET = "reserved_set", Step.REPORT
    GUEST_POLICY_MALFORMED = "guest_policy_malformed", Step.REPORT

    SIGNING_KEY_UNKNOWN = "signing_key_unknown", Step.SIGNING_KEY
    SIGNING_KEY_REFUSED = "signing_key_refused", Step.SIGNING_KEY
    GENERATION_UNKNOWN = "generation_unknown", Step.SIGNING_KEY
    GENERATION_REFUSED = "generation_refused", Step.SIGNING_KEY
    TCB_MALFORMED = "tcb_malformed", Step.SIGNING_KEY

    CERTIFICATE_MALFORMED = "certificate_malformed", Step.CHAIN
    ROOT_UNPINNED = "root_unpinned", Step.CHAIN
    ROOT_OTHER_GENERATION = "root_other_generation", Step.CHAIN
    INTERMEDIATE_UNPINNED = "intermediate_unpinned", Step.CHAIN
    CERTIFICATE_PROFILE = "certificate_profile", Step.CHAIN
    CERTIFICATE_ALGORITHM = "certificate_algorithm", Step.CHAIN
    CERTIFICATE_SIGNATURE = "certificate_signature", Step.CHAIN
    CERTIFICATE_EARLY = "certificate_early", Step.CHAIN
    CERTIFICATE_EXPIRED = "certificate_expired", Step.CHAIN
    CRL_MISSING = "crl_missing", Step.CHAIN
    CRL_MALFORMED = "crl_malformed", Step.CHAIN
    CRL_UNTRUSTED = "crl_untrusted", Step.CHAIN
    CRL_EARLY = "crl_early", Step.CHAIN
    CRL_EXPIRED = "crl_expired", Step.CHAIN
    REVOKED = "revoked", Step.CHAIN

    SIGNATURE_INVALID = "signature_invalid", Step.SIGNATURE

    EXTENSION_MALFORMED = "extension_malformed", Step.ENDORSEMENT
    EXTENSION_MISSING = "extension_missing", Step.ENDORSEMENT
    EXTENSION_UNEXPECTED = "extension_unexpected", Step.ENDORSEMENT
    PRODUCT_MISMATCH = "product_mismatch", Step.ENDORSEMENT
    TCB_MISMATCH = "tcb_mismatch", Step.ENDORSEMENT
    CHIP_ID_MASKED = "chip_id_masked", Step.ENDORSEMENT
    CHIP_ID_MISMATCH = "chip_id_mismatch", Step.ENDORSEMENT
    CHIP_ID_DENIED = "chip_id_denied", Step.ENDORSEMENT
    CSP_REFUSED = "csp_refused", Step.ENDORSEMENT

    REPORT_DATA_MISMATCH = "report_data_mismatch", Step.REPORT_DATA

    DEBUG_ALLOWED = "debug_allowed", Step.GUEST
    MIGRATION_ALLOWED = "migration_allowed", Step.GUEST
    VMPL_REFUSED = "vmpl_refused", Step.GUEST
    GUEST_POLICY_REFUSED = "guest_policy_refused", Step.GUEST

    MEASUREMENT_REFUSED = "measurement_refused", Step.WORKLOAD
    LAUNCH_IDENTITY_REFUSED = "launch_identity_refused", Step.WORKLOAD
    GUEST_SVN_LOW = "guest_svn_low", Step.WORKLOAD

    TCB_LOW = "tcb_low", Step.PLATFORM
    TCB_UNCOMMITTED = "tcb_uncommitted", Step.PLATFORM
    FIRMWARE_LOW = "firmware_low", Step.PLATFORM
    PLATFORM_REFUSED = "platform_refused", Step.PLATFORM
    MITIGATION_MISSING = "mitigation_missing", Step.PLATFORM


class AttestationError(Exception):
    """Base class of this package's errors."""


class EvidenceError(AttestationError):
    """Evidence was refused: a stable code, which names the failed step, and a sentence."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code

    @property
    def step(self) -> Step:
        """The step of the verification that failed."""
        return self.code.step
