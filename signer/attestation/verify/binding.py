"""Binding of a report: REPORT_DATA commits to purpose, nonce, key, key set and configuration.

REPORT_DATA = SHA-512(tag || 0x00 || u32be length of nonce || nonce || SHA-256 of the ephemeral
public key || key set || configuration); the tag is ``sixgate/snp-binding/PURPOSE/v1``. All parts
except the nonce have a fixed size, so two bindings never have the same bytes. The tag prevents the
replay of a report for another purpose.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.report import Report

NONCE_BYTES_MIN, NONCE_BYTES_MAX = 32, 64
DIGEST_BYTES = 32


class Purpose(StrEnum):
    """Purpose of a report. There are three, because three parties choose the nonce.

    A release chooses its own nonce, a customer any 32 to 64 bytes, a signer the id of its boot. If
    a customer's evidence counted for a boot, an attacker with a stolen signer key could have an
    invented boot attested by requesting evidence from the real signer (ADR 14).
    """

    KEY_RELEASE = "key-release"
    CUSTOMER_ATTESTATION = "customer-attestation"
    SIGNER_BOOT = "signer-boot"


@dataclass(frozen=True, slots=True)
class Binding:
    """The inputs of REPORT_DATA. A platform accepts nothing else, never free bytes.

    ``nonce`` is the verifier's, 32 to 64 bytes; ``ephemeral_key_digest`` is SHA-256 of the DER of
    the SubjectPublicKeyInfo; ``key_set`` and ``configuration`` are digests: 32 bytes each.
    Raises ``ValueError`` for another size.
    """

    purpose: Purpose
    nonce: bytes
    ephemeral_key_digest: bytes
    key_set: bytes
    configuration: bytes

    def __post_init__(self) -> None:
        if not NONCE_BYTES_MIN <= len(self.nonce) <= NONCE_BYTES_MAX:
            raise ValueError(
                f"a nonce is {NONCE_BYTES_MIN} to {NONCE_BYTES_MAX} bytes, not {len(self.nonce)}"
            )
        for name in ("ephemeral_key_digest", "key_set", "configuration"):
            if len(getattr(self, name)) != DIGEST_BYTES:
                raise ValueError(f"{name} is {DIGEST_BYTES} bytes")

    def report_data(self) -> bytes:
        """Return the 64 bytes of REPORT_DATA."""
        tag = f"sixgate/snp-binding/{self.purpose}/v1".encode()
        parts = (
            tag,
            b"\x00",
            len(self.nonce).to_bytes(4, "big"),
            self.nonce,
            self.ephemeral_key_digest,
            self.key_set,
            self.configuration,
        )
        return hashlib.sha512(b"".join(parts)).digest()


def check_report_data(report: Report, expected: bytes) -> None:
    """Raise ``EvidenceError`` unless REPORT_DATA equals these 64 bytes; in constant time."""
    if not hmac.compare_digest(report.report_data, expected):
        raise EvidenceError(
            Code.REPORT_DATA_MISMATCH,
            "REPORT_DATA is not the expected binding: the report is for another purpose, nonce, "
            "key, key set or configuration; request a new one with your own nonce",
        )
