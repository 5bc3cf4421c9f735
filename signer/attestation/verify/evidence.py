"""Evidence of a machine, and the file that carries it to a verifier (``docs/attestation.md``)."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.canonical import Canonical
from schemas.dsse import Base64
from schemas.fields import Digest
from signer.attestation.verify.binding import NONCE_BYTES_MAX, NONCE_BYTES_MIN, Binding, Purpose

REPORT_BYTES_MAX = 8 * 1024  # the verifier checks the exact size
CERTIFICATE_BYTES_MAX = 8 * 1024
CRL_BYTES_MAX = 64 * 1024
KEY_BYTES_MAX = 1024


def _base64_length(size: int) -> int:
    return 4 * (-(-size // 3))


Certificate = Annotated[Base64, Field(max_length=_base64_length(CERTIFICATE_BYTES_MAX))]
Nonce = Annotated[
    str,
    StringConstraints(
        pattern=rf"^0x(?:[0-9a-f]{{2}}){{{NONCE_BYTES_MIN},{NONCE_BYTES_MAX}}}$", strict=True
    ),
]


@dataclass(frozen=True, slots=True)
class EncodedChain:
    """Three untrusted certificates in DER."""

    leaf: bytes
    intermediate: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class Evidence:
    """Untrusted input of the verifier: report, certificates and revocation list (DER)."""

    report: bytes
    certificates: EncodedChain
    crl: bytes | None = None


class Certificates(Canonical):
    """The chain, DER in base64: VCEK or VLEK, ASK or ASVK, ARK."""

    leaf: Certificate
    intermediate: Certificate
    root: Certificate

    def encoded(self) -> EncodedChain:
        """Return the chain in DER."""
        return EncodedChain(*map(base64.b64decode, (self.leaf, self.intermediate, self.root)))


class Claims(Canonical):
    """The values that the signer claims to have bound beside the nonce; REPORT_DATA proves them.

    ``ephemeral_key`` is a SubjectPublicKeyInfo (DER, base64).
    """

    ephemeral_key: Annotated[Base64, Field(max_length=_base64_length(KEY_BYTES_MAX))]
    key_set: Digest
    configuration: Digest


class EvidenceFile(Canonical):
    """A report with everything that its verification needs except policy, nonce and time.

    ``nonce`` is that of the request. The requester compares it with its own.
    """

    v: Literal[1] = 1
    type: Literal["attestation.evidence"] = "attestation.evidence"
    report: Annotated[Base64, Field(max_length=_base64_length(REPORT_BYTES_MAX))]
    certificates: Certificates
    crl: Annotated[Base64, Field(max_length=_base64_length(CRL_BYTES_MAX))] | None = None
    nonce: Nonce | None = None
    claims: Claims | None = None

    def evidence(self) -> Evidence:
        """Return the input of ``verify``."""
        crl = None if self.crl is None else base64.b64decode(self.crl)
        return Evidence(base64.b64decode(self.report), self.certificates.encoded(), crl)

    def binding(self, purpose: Purpose, nonce: bytes | None = None) -> Binding | None:
        """Return the binding of the file's claims with a purpose and the verifier's nonce.

        Without ``nonce`` it uses the file's own, which does not prove freshness. Returns None if
        the file lacks claims, or no nonce is known.
        """
        if nonce is None and self.nonce:
            nonce = bytes.fromhex(self.nonce[2:])
        if self.claims is None or nonce is None:
            return None
        key = base64.b64decode(self.claims.ephemeral_key)
        return Binding(
            purpose,
            nonce,
            hashlib.sha256(key).digest(),
            bytes.fromhex(self.claims.key_set[2:]),
            bytes.fromhex(self.claims.configuration[2:]),
        )


def evidence_file(
    evidence: Evidence, nonce: bytes | None = None, claims: Claims | None = None
) -> EvidenceFile:
    """Encode evidence as a file."""
    chain = evidence.certificates
    return EvidenceFile(
        report=_text(evidence.report),
        certificates=Certificates(
            leaf=_text(chain.leaf), intermediate=_text(chain.intermediate), root=_text(chain.root)
        ),
        crl=None if evidence.crl is None else _text(evidence.crl),
        nonce=None if nonce is None else f"0x{nonce.hex()}",
        claims=claims,
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
