"""Certificate chain: leaf (VCEK or VLEK), intermediate (ASK or ASVK), root (ARK) (step 3).

No certificate of the evidence is a trust anchor: root and intermediate must be AMD's pinned ones,
byte for byte. A simulated platform's root is accepted only if the policy names its digest.

1. The root is pinned, or the simulated one of the policy; the intermediate is pinned too.
2. Each certificate has the name, key and rights of its place in the chain.
3. Each certificate is signed by the one above it, with AMD's algorithm.
4. All three are valid at the time of the verification.
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

from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.evidence import EncodedChain
from signer.attestation.verify.generations import PROFILES, generation_of_root
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation

RSA_BITS = 4096
SALT_BYTES = 48
TIME = "%Y-%m-%d %H:%M:%SZ"
AMD_PSS = PSS(MGF1(SHA384()), SALT_BYTES)
LEAF_NAMES = {SigningKey.VCEK: "SEV-VCEK", SigningKey.VLEK: "SEV-VLEK"}
INTERMEDIATE_NAMES = {SigningKey.VCEK: "SEV-", SigningKey.VLEK: "SEV-VLEK-"}


@dataclass(frozen=True, slots=True)
class Chain:
    """Three verified certificates, from the leaf to a pinned root."""

    leaf: x509.Certificate
    leaf_key: EllipticCurvePublicKey
    intermediate: x509.Certificate
    root: x509.Certificate
    simulated: bool


def root_digest(encoded: EncodedChain) -> str:
    """Return the SHA-256 (hex) of the root's DER."""
    return hashlib.sha256(encoded.root).hexdigest()


def check_chain(
    encoded: EncodedChain,
    generation: Generation,
    kind: SigningKey,
    simulated_root: str | None,
    at: datetime,
) -> Chain:
    """Verify that the certificates lead to the generation's root; raise ``EvidenceError``.

    ``simulated_root`` is the SHA-256 (0x hex) of a root that is accepted beside AMD's.
    ``check_revocation`` checks revocation.
    """
    # 1. Trust anchors, before any certificate is parsed.
    simulated = _check_root(root_digest(encoded), generation, simulated_root)
    if not simulated:
        _check_intermediate(encoded.intermediate, generation, kind)
    leaf = _load("leaf", encoded.leaf)
    middle, root = _load("intermediate", encoded.intermediate), _load("root", encoded.root)
    with reading("a certificate"):
        # 2. Names, keys and rights.
        product = PROFILES[generation].product
        _check_authority(root, f"ARK-{product}")
        _check_authority(middle, f"{INTERMEDIATE_NAMES[kind]}{product}")
        leaf_key = _check_leaf(leaf, LEAF_NAMES[kind])
        # 3. Signatures. The root's self-signature is not checked: its pinned digest is the trust.
        _check_signature("intermediate", middle, root)
        _check_signature("leaf", leaf, middle)
        # 4. Validity periods.
        for name, certificate in (("root", root), ("intermediate", middle), ("leaf", leaf)):
            _check_validity(name, certificate, at)
    return Chain(leaf, leaf_key, middle, root, simulated)


@contextmanager
def reading(what: str, code: Code = Code.CERTIFICATE_MALFORMED) -> Iterator[None]:
    """Translate any exception of the X.509 library to ``EvidenceError``."""
    try:
        yield
    except EvidenceError:
        raise
    except Exception:  # noqa: BLE001 - the library has many kinds; each is a refusal
        raise EvidenceError(code, f"{what} cannot be read") from None


def check_algorithm(what: str, signed: x509.Certificate | x509.CertificateRevocationList) -> None:
    """Raise unless the signature algorithm is RSASSA-PSS with SHA-384 and a salt of 48 bytes."""
    if (
        signed.signature_algorithm_oid != SignatureAlgorithmOID.RSASSA_PSS
        or not isinstance(signed.signature_hash_algorithm, SHA384)
        or signed.signature_algorithm_parameters != AMD_PSS
    ):
        raise EvidenceError(
            Code.CERTIFICATE_ALGORITHM,
            f"the {what} is not signed with RSASSA-PSS, SHA-384 and a salt of {SALT_BYTES} bytes",
        )


def check_signature_encoding(der: bytes, signature: bytes) -> None:
    """Raise ``ValueError`` unless the signature at the end of ``der`` has its canonical encoding.

    The X.509 library also accepts a signature without its leading zero bytes, which RFC 8017
    (8.1.2) requires, and ignores the number of unused bits at its end (X.690, 8.6.2.2). Without
    this check one signature would have several valid encodings.
    """
    if len(signature) != RSA_BITS // 8 or not der.endswith(b"\x00" + signature):
        raise ValueError


def _load(name: str, der: bytes) -> x509.Certificate:
    with reading(f"the {name}"), warnings.catch_warnings():
        # Every VCEK and VLEK has serial number 0, about which the library warns.
        warnings.filterwarnings("ignore", message="Parsed a serial number which wasn't positive")
        loaded = x509.load_der_x509_certificate(der)
        check_signature_encoding(der, loaded.signature)
        return loaded


def _check_root(digest: str, generation: Generation, simulated_root: str | None) -> bool:
    """Check the root's digest; return whether it is the simulated root of the policy."""
    if digest == PROFILES[generation].ark:
        return False
    if (other := generation_of_root(digest)) is not None:
        message = f"the root is that of {PROFILES[other].product}, the report is of {generation}"
        raise EvidenceError(Code.ROOT_OTHER_GENERATION, message)
    if simulated_root == f"0x{digest}":
        return True
    message = (
        f"the root 0x{digest} is neither AMD's for {generation} nor the policy's simulated_root"
    )
    raise EvidenceError(Code.ROOT_UNPINNED, message)


def _check_intermediate(der: bytes, generation: Generation, kind: SigningKey) -> None:
    profile = PROFILES[generation]
    pinned = profile.ask if kind is SigningKey.VCEK else profile.asvk
    if hashlib.sha256(der).hexdigest() != pinned:
        message = f"the intermediate is not AMD's for {kind.upper()}s of {generation}"
        raise EvidenceError(Code.INTERMEDIATE_UNPINNED, message)


def _check_authority(certificate: x509.Certificate, name: str) -> None:
    _check_profile(certificate, name)
    key = certificate.public_key()
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    if not isinstance(key, RSAPublicKey) or key.key_size != RSA_BITS:
        raise _profile(name, f"does not have an RSA key of {RSA_BITS} bits")
    if not constraints.ca or not usage.key_cert_sign:
        raise _profile(name, "may not sign certificates")


def _check_leaf(certificate: x509.Certificate, name: str) -> EllipticCurvePublicKey:
    _check_profile(certificate, name)
    key = certificate.public_key()
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP384R1):
        raise _profile(name, "does not have a P-384 key")
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.BasicConstraints) and extension.value.ca:
            raise _profile(name, "is a certificate authority")
    return key


def _check_profile(certificate: x509.Certificate, name: str) -> None:
    common = [one.value for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if common != [name]:
        raise _profile(name, "has another common name")
    if certificate.version is not x509.Version.v3:
        raise _profile(name, "is not X.509 version 3")
    for extension in certificate.extensions:
        if extension.critical and isinstance(extension.value, x509.UnrecognizedExtension):
            raise _profile(name, "has an unknown critical extension")


def _profile(name: str, wrong: str) -> EvidenceError:
    return EvidenceError(Code.CERTIFICATE_PROFILE, f"the certificate for {name} {wrong}")


def _check_signature(name: str, certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    check_algorithm(name, certificate)
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # noqa: BLE001 - InvalidSignature, ValueError or TypeError
        message = f"the {name} was not signed by the certificate above it"
        raise EvidenceError(Code.CERTIFICATE_SIGNATURE, message) from None


def _check_validity(name: str, certificate: x509.Certificate, at: datetime) -> None:
    since, until = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if at < since:
        message = f"the {name} is not valid before {since:{TIME}}, verified as of {at:{TIME}}"
        raise EvidenceError(Code.CERTIFICATE_EARLY, message)
    if at > until:
        message = f"the {name} expired at {until:{TIME}}, verified as of {at:{TIME}}"
        raise EvidenceError(Code.CERTIFICATE_EXPIRED, message)
