"""Boot records: made with the platform's evidence. ``boot_check.py`` verifies them."""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from schemas.keys.boot import BootFacts, SignerBoot, evidence_digest
from signer.attestation.verify.binding import Binding, Purpose
from signer.attestation.verify.evidence import Claims, Evidence, EvidenceFile, evidence_file


def boot_binding(facts: BootFacts) -> Binding:
    """Return the binding of a boot's report: the boot id as nonce, and the key of its outcomes.

    Only a signer requests this purpose, about its own boot. So no nonce that another party chose
    can ever be in such a report.
    """
    return _binding(facts, Purpose.SIGNER_BOOT, _bytes(facts.boot_id()))


def customer_binding(facts: BootFacts, nonce: bytes) -> Binding:
    """Return the binding of a report for a customer's nonce.

    Raises ``ValueError`` if the nonce is not 32 to 64 bytes.
    """
    return _binding(facts, Purpose.CUSTOMER_ATTESTATION, nonce)


def signer_file(facts: BootFacts, evidence: Evidence, nonce: bytes) -> EvidenceFile:
    """Return evidence as a file, with its nonce and the claims of a boot."""
    return evidence_file(evidence, nonce, claims_of(facts))


def boot_record(facts: BootFacts, evidence: Evidence, *, simulated: bool) -> SignerBoot:
    """Return the unsigned record of a boot; its evidence must have the ``boot_binding``."""
    file = signer_file(facts, evidence, _bytes(facts.boot_id())).encode()
    return SignerBoot(
        id=facts.boot_id(),
        facts=facts,
        evidence=base64.b64encode(file).decode(),
        evidence_digest=evidence_digest(file),
        simulated=simulated,
    )


def claims_of(facts: BootFacts) -> Claims:
    """Return the claims that the evidence of a boot makes."""
    return Claims(
        ephemeral_key=base64.b64encode(_spki(facts.public_key)).decode(),
        key_set=facts.key_set,
        configuration=facts.configuration,
    )


def _binding(facts: BootFacts, purpose: Purpose, nonce: bytes) -> Binding:
    return Binding(
        purpose,
        nonce,
        hashlib.sha256(_spki(facts.public_key)).digest(),
        _bytes(facts.key_set),
        _bytes(facts.configuration),
    )


def _spki(public_key: str) -> bytes:
    key = Ed25519PublicKey.from_public_bytes(_bytes(public_key))
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text[2:])
