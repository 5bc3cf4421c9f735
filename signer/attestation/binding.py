"""What a report binds: REPORT_DATA says for what, for whom, and for which key a report was made.

REPORT_DATA = SHA-512(tag || 0x00 || u32be length of nonce || nonce || SHA-256 of the ephemeral
public key || key set || configuration), the tag being ``sixgate/snp-binding/PURPOSE/v1``. All
parts but the nonce have one size, so no two bindings share their bytes; and a report for one
purpose is worth nothing for another.
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

from signer.attestation.errors import Code, ReportDataError
from signer.attestation.report import Report

NONCE_BYTES_MIN, NONCE_BYTES_MAX = 32, 64
DIGEST_BYTES = 32


class Purpose(StrEnum):
    """What a report is for; three, because three parties choose the nonce.

    A release its own, a customer any 32 to 64 bytes, a signer the id of its boot: if a customer's
    answer counted for a boot, whoever has a stolen signer key could have any invented boot attested
    by asking the real signer for it.
    """

    KEY_RELEASE = "key-release"
    CUSTOMER_ATTESTATION = "customer-attestation"
    SIGNER_BOOT = "signer-boot"


@dataclass(frozen=True, slots=True)
class Binding:
    """The content of REPORT_DATA; the only form in which a platform is asked for a report.

    ``nonce`` is the verifier's, 32 to 64 bytes; ``ephemeral_key_digest`` is SHA-256 over the DER
    of the SubjectPublicKeyInfo; ``key_set`` and ``configuration`` are digests: 32 bytes each.
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
        """Return the 64 bytes."""
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
    """Raise ``ReportDataError`` unless REPORT_DATA is exactly these 64 bytes; in constant time."""
    if not hmac.compare_digest(report.report_data, expected):
        raise ReportDataError(
            Code.REPORT_DATA_MISMATCH,
            "REPORT_DATA is not what was expected: the report is for another purpose, nonce, "
            "key, key set or configuration; ask for a new one with a nonce of your own",
        )
