"""The revocation list of a root: it can revoke intermediates, never a single chip.

Every VCEK and VLEK has serial number 0, so a leaf cannot be looked up: floors of the TCB and a list
of denied chips are what remains against one.
"""

from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from signer.attestation.certificates import (
    TIME,
    Chain,
    check_algorithm,
    check_signature_is_whole,
    reading,
)
from signer.attestation.errors import CertificateChainError, Code


def check_revocation(crl: bytes | None, chain: Chain, at: datetime, *, required: bool) -> bool:
    """Return whether a list (DER) was looked at; without one, that is an error if ``required``.

    A list that is there must hold, required or not. Raises ``CertificateChainError``.
    """
    if crl is None:
        if required:
            told = "there is no revocation list; fetch the root's and put it into the evidence"
            raise CertificateChainError(Code.CRL_MISSING, told)
        return False
    with reading("the revocation list", Code.CRL_MALFORMED):
        loaded = x509.load_der_x509_crl(crl)
        check_signature_is_whole(crl, loaded.signature)
        _check_complete(loaded)
        _check_issuer(loaded, chain.root)
        _check_period(loaded, at)
        for name, certificate in (("root", chain.root), ("intermediate", chain.intermediate)):
            if loaded.get_revoked_certificate_by_serial_number(certificate.serial_number):
                raise CertificateChainError(Code.REVOKED, f"AMD revoked the {name}")
    return True


def _check_complete(crl: x509.CertificateRevocationList) -> None:
    """Refuse deltas, partial and indirect lists: these say so in critical extensions."""
    if any(extension.critical for extension in crl.extensions):
        told = "the revocation list is only a part, or has a critical extension"
        raise CertificateChainError(Code.CRL_MALFORMED, told)


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
        told = "the revocation list is not signed by the root of the certificates"
        raise CertificateChainError(Code.CRL_UNTRUSTED, told)


def _check_period(crl: x509.CertificateRevocationList, at: datetime) -> None:
    since, until = crl.last_update_utc, crl.next_update_utc
    if at < since:
        told = f"the revocation list is of {since:{TIME}}, this is {at:{TIME}}"
        raise CertificateChainError(Code.CRL_EARLY, told)
    if until is None or at > until:
        told = "a newer revocation list is due: fetch it and put it into the evidence"
        raise CertificateChainError(Code.CRL_EXPIRED, told)
