"""Revocation list (CRL) of a root: can revoke root and intermediate, not a single chip (step 3).

Every VCEK and VLEK has serial number 0, so a leaf cannot be looked up. Against a single chip use
TCB floors and ``chip_ids_denied``.

1. The list is complete.
2. The root signed it.
3. It is valid at the time of the verification.
4. It revokes neither root nor intermediate.
"""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from signer.attestation.verify.certificates import (
    TIME,
    Chain,
    check_algorithm,
    check_signature_encoding,
    reading,
)
from signer.attestation.verify.errors import Code, EvidenceError


def check_revocation(crl: bytes | None, chain: Chain, at: datetime, *, required: bool) -> bool:
    """Check the revocation list (DER); return False if it is missing and not ``required``.

    A list that is present must be valid, required or not. Raises ``EvidenceError``.
    """
    if crl is None:
        if required:
            message = (
                "the evidence has no revocation list: fetch the root's and add it to the evidence"
            )
            raise EvidenceError(Code.CRL_MISSING, message)
        return False
    with reading("the revocation list", Code.CRL_MALFORMED):
        loaded = x509.load_der_x509_crl(crl)
        check_signature_encoding(crl, loaded.signature)
        _check_complete(loaded)  # 1.
        _check_issuer(loaded, chain.root)  # 2.
        _check_period(loaded, at)  # 3.
        # 4. Serial numbers are unique under one root.
        for name, certificate in (("root", chain.root), ("intermediate", chain.intermediate)):
            if loaded.get_revoked_certificate_by_serial_number(certificate.serial_number):
                raise EvidenceError(Code.REVOKED, f"AMD revoked the {name}")
    return True


def _check_complete(crl: x509.CertificateRevocationList) -> None:
    """Refuse delta, partial and indirect lists: they have critical extensions."""
    if any(extension.critical for extension in crl.extensions):
        message = "the revocation list is partial or has a critical extension"
        raise EvidenceError(Code.CRL_MALFORMED, message)


def _check_issuer(crl: x509.CertificateRevocationList, root: x509.Certificate) -> None:
    check_algorithm("revocation list", crl)
    key = root.public_key()
    usage = root.extensions.get_extension_for_class(x509.KeyUsage).value
    if (
        crl.issuer != root.subject
        or not usage.crl_sign
        or not isinstance(key, RSAPublicKey)
        or not crl.is_signature_valid(key)
    ):
        message = "the root of the certificates did not sign the revocation list"
        raise EvidenceError(Code.CRL_UNTRUSTED, message)


def _check_period(crl: x509.CertificateRevocationList, at: datetime) -> None:
    since, until = crl.last_update_utc, crl.next_update_utc
    if at < since:
        message = (
            f"the revocation list is not valid before {since:{TIME}}, verified as of {at:{TIME}}"
        )
        raise EvidenceError(Code.CRL_EARLY, message)
    if until is None or at > until:
        message = "the revocation list has expired: fetch the newer one and add it to the evidence"
        raise EvidenceError(Code.CRL_EXPIRED, message)
