"""What each step of a verification proves, and what each code of refused evidence means.

Only verifiers need these sentences. A test compares them with ``docs/attestation.md``.
"""

from signer.attestation.verify.errors import Code, Step

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

MEANING: dict[Code, str] = {
    Code.REPORT_SIZE: "It is not 1184 bytes.",
    Code.VERSION_UNKNOWN: "Its version is not 2, 3 or 5.",
    Code.VERSION_REFUSED: "The policy does not accept its version.",
    Code.ALGORITHM_UNKNOWN: "It is not signed with ECDSA P-384.",
    Code.RESERVED_SET: "Reserved bits or bytes are not zero.",
    Code.GUEST_POLICY_MALFORMED: "Bit 17 of POLICY is 0, or an undefined bit is 1.",
    Code.SIGNING_KEY_UNKNOWN: "It is signed by neither a VCEK nor a VLEK.",
    Code.SIGNING_KEY_REFUSED: "The policy does not accept this kind of signing key.",
    Code.GENERATION_UNKNOWN: "The processor generation is unknown.",
    Code.GENERATION_REFUSED: "The policy does not list the generation.",
    Code.TCB_MALFORMED: "A TCB sets bytes that are reserved on its generation.",
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
    Code.SIGNATURE_INVALID: "The leaf's key did not sign this report.",
    Code.EXTENSION_MALFORMED: "An AMD extension of the leaf is malformed.",
    Code.EXTENSION_MISSING: "The leaf lacks an AMD extension.",
    Code.EXTENSION_UNEXPECTED: "The leaf has an AMD extension that its kind must not have.",
    Code.PRODUCT_MISMATCH: "The leaf is for another generation.",
    Code.TCB_MISMATCH: "The leaf is for another TCB than REPORTED_TCB.",
    Code.CHIP_ID_MASKED: "CHIP_ID or the chip key is masked.",
    Code.CHIP_ID_MISMATCH: "The leaf is for another chip than CHIP_ID.",
    Code.CHIP_ID_DENIED: "The policy denies this chip.",
    Code.CSP_REFUSED: "The policy does not list the VLEK's cloud provider.",
    Code.REPORT_DATA_MISMATCH: "It binds another purpose, nonce, key, key set or configuration.",
    Code.DEBUG_ALLOWED: "The host may debug the guest: read and write its memory.",
    Code.MIGRATION_ALLOWED: "A migration agent may move the guest.",
    Code.VMPL_REFUSED: "The VMPL of the request is above the policy's maximum.",
    Code.GUEST_POLICY_REFUSED: "POLICY does not match the policy's two bit masks.",
    Code.MEASUREMENT_REFUSED: "The policy does not list MEASUREMENT.",
    Code.LAUNCH_IDENTITY_REFUSED: "The policy does not accept host data, family, image or key.",
    Code.GUEST_SVN_LOW: "GUEST_SVN is below the policy's minimum.",
    Code.TCB_LOW: "A component of a TCB is below the policy's floor.",
    Code.TCB_UNCOMMITTED: "The policy requires CURRENT_TCB to be committed, and it is not.",
    Code.FIRMWARE_LOW: "The committed firmware is older than the policy's minimum.",
    Code.PLATFORM_REFUSED: "PLATFORM_INFO does not match the policy's two bit masks.",
    Code.MITIGATION_MISSING: "A mitigation that the policy requires is not active.",
}
