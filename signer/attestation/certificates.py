"""The chain of certificates: leaf (VCEK or VLEK), intermediate (ASK or ASVK), root (ARK).

Nothing that comes with the evidence is believed: root and intermediate are AMD's pinned ones, byte
for byte. A simulated platform's root counts only where a policy names its digest.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from signer.attestation.errors import AttestationError, CertificateChainError, Code
from signer.attestation.generations import PROFILES, Generation, generation_of_root
from signer.attestation.report import SigningKey

RSA_BITS = 4096
SALT_BYTES = 48
TIME = "%Y-%m-%d %H:%M:%SZ"
AMD_PSS = PSS(MGF1(SHA384()), SALT_BYTES)
LEAF_NAMES = {SigningKey.VCEK: "SEV-VCEK", SigningKey.VLEK: "SEV-VLEK"}
INTERMEDIATE_NAMES = {SigningKey.VCEK: "SEV-", SigningKey.VLEK: "SEV-VLEK-"}


@dataclass(frozen=True, slots=True)
class EncodedChain:
    """Three certificates in DER, as they came: untrusted."""

    leaf: bytes
    intermediate: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class Chain:
    """Three certificates that lead from the leaf to a pinned root."""

    leaf: x509.Certificate
    leaf_key: EllipticCurvePublicKey
    intermediate: x509.Certificate
    root: x509.Certificate
    simulated: bool


def root_digest(encoded: EncodedChain) -> str:
    """Return SHA-256 (hex) over the DER of the root that came."""
    return hashlib.sha256(encoded.root).hexdigest()


def check_chain(
    encoded: EncodedChain,
    generation: Generation,
    kind: SigningKey,
    simulated_root: str | None,
    at: datetime,
) -> Chain:
    """Return the certificates if they lead to the generation's root at that time.

    ``simulated_root`` is the SHA-256 (0x hex) of a root that is believed beside AMD's. Raises
    ``CertificateChainError``. Revocation is ``check_revocation``'s.
    """
    simulated = _check_root(root_digest(encoded), generation, simulated_root)
    if not simulated:
        _check_intermediate(encoded.intermediate, generation, kind)
    leaf = _load("leaf", encoded.leaf)
    middle, root = _load("intermediate", encoded.intermediate), _load("root", encoded.root)
    with reading("a certificate"):
        product = PROFILES[generation].product
        _check_authority(root, f"ARK-{product}")
        _check_authority(middle, f"{INTERMEDIATE_NAMES[kind]}{product}")
        leaf_key = _check_leaf(leaf, LEAF_NAMES[kind])
        # The root's own signature would say nothing: its digest is what is believed.
        _check_signature("intermediate", middle, root)
        _check_signature("leaf", leaf, middle)
        for name, certificate in (("root", root), ("intermediate", middle), ("leaf", leaf)):
            _check_validity(name, certificate, at)
    return Chain(leaf, leaf_key, middle, root, simulated)


@contextmanager
def reading(what: str, code: Code = Code.CERTIFICATE_MALFORMED) -> Iterator[None]:
    """Translate whatever the X.509 library says of bytes it cannot read."""
    try:
        yield
    except AttestationError:
        raise
    except Exception:  # noqa: BLE001 - a foreign library's many kinds, all of them a refusal
        raise CertificateChainError(code, f"{what} cannot be read") from None


def check_algorithm(what: str, signed: x509.Certificate | x509.CertificateRevocationList) -> None:
    """Raise unless it says to be signed with RSASSA-PSS, SHA-384 and a salt of 48 bytes."""
    if (
        signed.signature_algorithm_oid != SignatureAlgorithmOID.RSASSA_PSS
        or not isinstance(signed.signature_hash_algorithm, SHA384)
        or signed.signature_algorithm_parameters != AMD_PSS
    ):
        raise CertificateChainError(
            Code.CERTIFICATE_ALGORITHM,
            f"the {what} is not signed with RSASSA-PSS, SHA-384 and a salt of {SALT_BYTES} bytes",
        )


def check_signature_is_whole(der: bytes, signature: bytes) -> None:
    """Raise ``ValueError`` unless the signature at the end has all its bytes and all their bits.

    The X.509 library also takes one without the zero bytes that it begins with (RFC 8017, 8.1.2
    wants all of them), and takes no notice of how many bits are said to be unused at its end
    (X.690, 8.6.2.2): such a signature would have several encodings, all of them valid.
    """
    if len(signature) != RSA_BITS // 8 or not der.endswith(b"\x00" + signature):
        raise ValueError


def _load(name: str, der: bytes) -> x509.Certificate:
    with reading(f"the {name}"), warnings.catch_warnings():
        # Every VCEK and VLEK has serial number 0.
        warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")
        loaded = x509.load_der_x509_certificate(der)
        check_signature_is_whole(der, loaded.signature)
        return loaded


def _check_root(digest: str, generation: Generation, simulated_root: str | None) -> bool:
    """Return whether the root is the simulated one that the policy names."""
    if digest == PROFILES[generation].ark:
        return False
    if (other := generation_of_root(digest)) is not None:
        told = f"the root is {PROFILES[other].product}'s, the report is of {generation}"
        raise CertificateChainError(Code.ROOT_OTHER_GENERATION, told)
    if simulated_root == f"0x{digest}":
        return True
    told = f"the root 0x{digest} is not AMD's for {generation}, and the policy names no such one"
    raise CertificateChainError(Code.ROOT_UNPINNED, told)


def _check_intermediate(der: bytes, generation: Generation, kind: SigningKey) -> None:
    profile = PROFILES[generation]
    pinned = profile.ask if kind is SigningKey.VCEK else profile.asvk
    if hashlib.sha256(der).hexdigest() != pinned:
        told = (
            f"the intermediate is not the one that AMD signs {kind.upper()}s of {generation} with"
        )
        raise CertificateChainError(Code.INTERMEDIATE_UNPINNED, told)


def _check_authority(certificate: x509.Certificate, name: str) -> None:
    _check_profile(certificate, name)
    key = certificate.public_key()
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    if not isinstance(key, RSAPublicKey) or key.key_size != RSA_BITS:
        raise _profile(name, f"has no RSA key of {RSA_BITS} bits")
    if not constraints.ca or not usage.key_cert_sign:
        raise _profile(name, "may not sign certificates")


def _check_leaf(certificate: x509.Certificate, name: str) -> EllipticCurvePublicKey:
    _check_profile(certificate, name)
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        raise _profile(name, "has no key on P-384")
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            raise _profile(name, "is an authority")
    return key


def _check_profile(certificate: x509.Certificate, name: str) -> None:
    common = [one.value for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if common != [name]:
        raise _profile(name, "has another name")
    if certificate.version is not x509.Version.v3:
        raise _profile(name, "is not of X.509 version 3")
    for extension in certificate.extensions:
        if extension.critical and isinstance(extension.value, x509.UnrecognizedExtension):
            raise _profile(name, "has a critical extension of unknown meaning")


def _profile(name: str, wrong: str) -> CertificateChainError:
    return CertificateChainError(Code.CERTIFICATE_PROFILE, f"what should be {name} {wrong}")


def _check_signature(name: str, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    check_algorithm(name, certificate)
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - the library's own, ValueError and TypeError alike
        told = f"the {name} was not signed by the certificate above it"
        raise CertificateChainError(Code.CERTIFICATE_SIGNATURE, told) from None


def _check_validity(name: str, certificate: x509.Certificate, at: datetime) -> None:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if at < since:
        told = f"the {name} is in force from {since:{TIME}} on, this is {at:{TIME}}"
        raise CertificateChainError(Code.CERTIFICATE_EARLY, told)
    if at > until:
        told = f"the {name} expired at {until:{TIME}}, this is {at:{TIME}}"
        raise CertificateChainError(Code.CERTIFICATE_EXPIRED, told)
