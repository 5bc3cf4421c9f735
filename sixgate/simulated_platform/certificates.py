"""Certificates of a simulated platform: AMD's profile under a root that AMD does not own.

Every subject names the organisation "Sixgate simulated platform". A policy accepts these
certificates only if it names the digest of the root.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PSS
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from signer.attestation.verify.certificates import AMD_PSS, INTERMEDIATE_NAMES, LEAF_NAMES, RSA_BITS
from signer.attestation.verify.endorsement import (
    ARC,
    CSP_ID,
    HWID,
    PRODUCT_NAME,
    RESERVED_SPL_OIDS,
    SPL_OIDS,
    STRUCTURE_VERSION,
    Endorsement,
)
from signer.attestation.verify.generations import PROFILES
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation

ORGANISATION = "Sixgate simulated platform"
AUTHORITY_DAYS, VCEK_DAYS, VLEK_DAYS, CRL_DAYS = 25 * 365, 7 * 365, 365, 30
_RSA_EXPONENT = 65_537


@dataclass(frozen=True, slots=True)
class AuthorityKeys:
    """RSA keys of root, ASK and ASVK. Generating them takes seconds."""

    root: rsa.RSAPrivateKey
    intermediates: Mapping[SigningKey, rsa.RSAPrivateKey]

    @classmethod
    def generate(cls) -> "AuthorityKeys":
        """Generate keys from the system's randomness."""
        return cls(_rsa_key(), {kind: _rsa_key() for kind in SigningKey})


@dataclass(frozen=True, slots=True)
class AuthorityCertificates:
    """Certificates of root, ASK and ASVK."""

    root: x509.Certificate
    intermediates: Mapping[SigningKey, x509.Certificate]


class SimulatedAuthority:
    """Root and intermediates of one generation; signs leaves and revocation lists as AMD does."""

    def __init__(
        self, keys: AuthorityKeys, generation: Generation, certificates: AuthorityCertificates
    ) -> None:
        self.generation = generation
        self.root = certificates.root
        self.intermediates = certificates.intermediates
        self._keys = keys
        self._product = PROFILES[generation].product

    @classmethod
    def create(cls, keys: AuthorityKeys, generation: Generation, at: datetime) -> Self:
        """Make an authority with new certificates, valid from ``at``."""
        product = PROFILES[generation].product
        name = f"ARK-{product}"
        root = issue(
            (name, keys.root.public_key()), (name, keys.root), at, AUTHORITY_DAYS, _authority()
        )
        intermediates = {
            kind: _intermediate(keys, product, kind, at) for kind in keys.intermediates
        }
        return cls(keys, generation, AuthorityCertificates(root, intermediates))

    @property
    def root_digest(self) -> str:
        """SHA-256 (0x hex) of the root's DER, as a policy names it in ``simulated_root``."""
        return "0x" + hashlib.sha256(self.root.public_bytes(Encoding.DER)).hexdigest()

    def endorse(
        self, key: EllipticCurvePublicKey, kind: SigningKey, endorsement: Endorsement, at: datetime
    ) -> x509.Certificate:
        """Issue the leaf certificate of a VCEK or VLEK."""
        days = VCEK_DAYS if kind is SigningKey.VCEK else VLEK_DAYS
        issuer = (f"{INTERMEDIATE_NAMES[kind]}{self._product}", self._keys.intermediates[kind])
        extensions = amd_extensions(endorsement, self.generation)
        return issue((LEAF_NAMES[kind], key), issuer, at, days, extensions)

    def revocation_list(self, at: datetime, revoked: Iterable[x509.Certificate] = ()) -> bytes:
        """Issue the root's revocation list (DER); it expires after 30 days."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.root.subject)
            .last_update(at)
            .next_update(at + timedelta(days=CRL_DAYS))
        )
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(certificate.serial_number)
                .revocation_date(at)
                .build()
            )
        signed = builder.sign(self._keys.root, SHA384(), rsa_padding=AMD_PSS)
        return signed.public_bytes(Encoding.DER)


def issue(  # noqa: PLR0913 - the contents of a certificate
    subject: tuple[str, rsa.RSAPublicKey | EllipticCurvePublicKey],
    issuer: tuple[str, rsa.RSAPrivateKey],
    at: datetime,
    days: int,
    extensions: Iterable[tuple[x509.ExtensionType, bool]],
    *,
    serial: int = 1,
    padding: PSS = AMD_PSS,
) -> x509.Certificate:
    """Sign a certificate; an extension is paired with whether it is critical."""
    (name, key), (issuer_name, issuer_key) = subject, issuer
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer_name))
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(at)
        .not_valid_after(at + timedelta(days=days))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, SHA384(), rsa_padding=padding)


def amd_extensions(
    endorsement: Endorsement, generation: Generation
) -> list[tuple[x509.ExtensionType, bool]]:
    """Encode AMD's extensions as they are in genuine leaves."""
    profile = PROFILES[generation]
    values = {
        STRUCTURE_VERSION: _integer(profile.structure_version),
        PRODUCT_NAME: _text(endorsement.product_name),
    }
    values |= {SPL_OIDS[name]: _integer(value) for name, value in endorsement.tcb.plain().items()}
    values |= {oid: _integer(0) for oid in RESERVED_SPL_OIDS if endorsement.tcb.fmc is None}
    if endorsement.hwid is not None:
        values[HWID] = endorsement.hwid
    if endorsement.csp_id is not None:
        values[CSP_ID] = _text(endorsement.csp_id)
    return [
        (x509.UnrecognizedExtension(x509.ObjectIdentifier(ARC + oid), value), False)
        for oid, value in sorted(values.items())
    ]


def _intermediate(
    keys: AuthorityKeys, product: str, kind: SigningKey, at: datetime
) -> x509.Certificate:
    subject = (f"{INTERMEDIATE_NAMES[kind]}{product}", keys.intermediates[kind].public_key())
    issuer = (f"ARK-{product}", keys.root)
    serial = 2 + list(SigningKey).index(kind)
    return issue(subject, issuer, at, AUTHORITY_DAYS, _authority(), serial=serial)


def _authority() -> list[tuple[x509.ExtensionType, bool]]:
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    return [(x509.BasicConstraints(ca=True, path_length=None), True), (usage, True)]


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(_RSA_EXPONENT, RSA_BITS)


def _integer(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "big")
    return bytes((0x02, len(content))) + content


def _text(text: str) -> bytes:
    return bytes((0x16, len(text))) + text.encode("ascii")
