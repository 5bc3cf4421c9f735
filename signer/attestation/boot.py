"""A boot's record: made of what the platform said, and proven by whoever reads the ledger."""

import base64
import hashlib
from collections.abc import Collection
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.boot import BootFacts, SignerBoot, evidence_digest
from schemas.canonical import MalformedError
from signer.attestation.binding import Binding, Purpose
from signer.attestation.evidence import Claims, EvidenceFile, evidence_file
from signer.attestation.policy import VerificationPolicy
from signer.attestation.verify import Evidence, Verified, verify
from signer.signatures import InvalidSignatureError, verify_event


class BootVerificationError(Exception):
    """A record that is not the named signer's, or whose evidence is for something else."""


class Named(NamedTuple):
    """Whose boot it must be: a signer and all public keys (0x hex) that were ever registered."""

    org: str
    signer: str
    keys: Collection[str]


def boot_binding(facts: BootFacts) -> Binding:
    """Return what the platform is asked to report on: the boot id, and the key of its outcomes.

    Its purpose is a boot's alone, and only a signer asks for it, about its own life: no nonce that
    somebody else chose ever gets such a report.
    """
    return _binding(facts, Purpose.SIGNER_BOOT, _bytes(facts.boot_id()))


def customer_binding(facts: BootFacts, nonce: bytes) -> Binding:
    """Return what the platform is asked to report on for a customer with a nonce of its own.

    Raises ``ValueError`` for a nonce of another size than 32 to 64 bytes.
    """
    return _binding(facts, Purpose.CUSTOMER_ATTESTATION, nonce)


def signer_file(facts: BootFacts, evidence: Evidence, nonce: bytes) -> EvidenceFile:
    """Return the file of evidence on this nonce that binds what a signer says of itself."""
    return evidence_file(evidence, nonce, _claims(facts))


def boot_record(facts: BootFacts, evidence: Evidence, *, simulated: bool) -> SignerBoot:
    """Return the record of a boot, unsigned, with evidence that binds ``boot_binding``."""
    file = signer_file(facts, evidence, _bytes(facts.boot_id())).encode()
    return SignerBoot(
        id=facts.boot_id(),
        facts=facts,
        evidence=base64.b64encode(file).decode(),
        evidence_digest=evidence_digest(file),
        simulated=simulated,
    )


def check_boot(
    record: SignerBoot, named: Named, policy: VerificationPolicy, at_ms: int
) -> Verified:
    """Return what a boot's evidence proves at a time; the one place that says which boots count.

    Whatever the policy's own purpose is, the evidence must be for a boot. Raise
    ``BootVerificationError`` for a record that contradicts itself or is not the named signer's, and
    ``AttestationError`` for evidence that the policy does not accept.
    """
    facts = record.facts
    file = base64.b64decode(record.evidence)
    _require((facts.org, facts.signer) == named[:2], "it is another signer's")
    _require(facts.public_key in named.keys, "it names a key that the signer never had")
    try:
        verify_event(record, facts.public_key)
        evidence = EvidenceFile.decode(file)
    except InvalidSignatureError:
        raise BootVerificationError("the signer did not sign the record of its boot") from None
    except MalformedError:
        raise BootVerificationError("the evidence in the record of a boot is malformed") from None
    _require(record.id == facts.boot_id(), "its id is not its own")
    _require(record.evidence_digest == evidence_digest(file), "it names other evidence")
    same = (evidence.nonce, evidence.claims) == (record.id, _claims(facts))
    _require(same, "its evidence claims something else")
    accepted = policy.for_purpose(Purpose.SIGNER_BOOT)
    verified = verify(evidence.evidence(), accepted, boot_binding(facts).report_data(), at_ms)
    _require(verified.simulated == record.simulated, "it hides what platform it was")
    return verified


def _binding(facts: BootFacts, purpose: Purpose, nonce: bytes) -> Binding:
    return Binding(
        purpose,
        nonce,
        hashlib.sha256(_spki(facts.public_key)).digest(),
        _bytes(facts.key_set),
        _bytes(facts.configuration),
    )


def _claims(facts: BootFacts) -> Claims:
    return Claims(
        ephemeral_key=base64.b64encode(_spki(facts.public_key)).decode(),
        key_set=facts.key_set,
        configuration=facts.configuration,
    )


def _require(holds: bool, otherwise: str) -> None:  # noqa: FBT001 - a condition
    if not holds:
        raise BootVerificationError(f"the record of a boot is not to be believed: {otherwise}")


def _spki(public_key: str) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(_bytes(public_key))
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
