"""Verifies boot records, for any reader of the ledger.

``check_boot`` verifies a record in this order:
1. Organisation, signer and key are those that the registry names.
2. That key signed the record.
3. Id and evidence digest are recomputed, and the evidence claims exactly the record's facts.
4. The evidence passes the policy for the purpose of a boot, and the record does not hide that the
   platform was simulated.
"""

import base64
from collections.abc import Collection
from typing import NamedTuple

from schemas.canonical import MalformedError
from schemas.keys.boot import SignerBoot, evidence_digest
from signer.attestation.boot import boot_binding, claims_of
from signer.attestation.verify.binding import Purpose
from signer.attestation.verify.errors import AttestationError
from signer.attestation.verify.evidence import EvidenceFile
from signer.attestation.verify.policy import VerificationPolicy
from signer.attestation.verify.verify import Verified, verify
from signer.core.errors import InvalidSignatureError
from signer.custody.event_signing import verify_event


class BootVerificationError(AttestationError):
    """The record is not the expected signer's, contradicts itself, or has other evidence."""


class ExpectedSigner(NamedTuple):
    """The expected signer of a boot, with every public key (0x hex) ever registered for it."""

    org: str
    signer: str
    keys: Collection[str]


def check_boot(
    record: SignerBoot, expected: ExpectedSigner, policy: VerificationPolicy, at_ms: int
) -> Verified:
    """Verify a boot's record as of a time. No other code decides which boots are valid.

    The policy's own purpose is ignored: the evidence must be for a boot. Raise
    ``BootVerificationError`` for a record that contradicts itself or is another signer's, and
    ``EvidenceError`` for evidence that the policy does not accept.
    """
    facts = record.facts
    file = base64.b64decode(record.evidence)
    # 1. The registry names the expected keys; a replaced key stays valid for old boots.
    _require((facts.org, facts.signer) == expected[:2], "its org or signer is not the expected one")
    _require(
        facts.public_key in expected.keys, "its public_key was never registered for the signer"
    )
    # 2. Only this signature ties the record to the registered signer.
    try:
        verify_event(record, facts.public_key)
        evidence = EvidenceFile.decode(file)
    except InvalidSignatureError:
        raise BootVerificationError("the signer did not sign the record of its boot") from None
    except MalformedError:
        raise BootVerificationError("the evidence in the record of a boot is malformed") from None
    # 3. The nonce of the evidence is the id, which is the digest of all facts.
    _require(record.id == facts.boot_id(), "its id is not the digest of its facts")
    _require(
        record.evidence_digest == evidence_digest(file),
        "its evidence_digest is not that of its evidence",
    )
    same = (evidence.nonce, evidence.claims) == (record.id, claims_of(facts))
    _require(same, "its evidence has another nonce or other claims")
    # 4. Step 6 of ``verify`` compares REPORT_DATA with this binding.
    accepted = policy.for_purpose(Purpose.SIGNER_BOOT)
    verified = verify(evidence.evidence(), accepted, boot_binding(facts).report_data(), at_ms)
    _require(
        verified.simulated == record.simulated, "its field simulated does not match the evidence"
    )
    return verified


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a condition
    if not holds:
        raise BootVerificationError(f"the record of a boot is invalid: {otherwise}")
