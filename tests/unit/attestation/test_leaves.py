"""Leaves that the intermediate signed, each with one error."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding

from signer.attestation.verify.certificates import AMD_PSS
from signer.attestation.verify.endorsement import ARC, CSP_ID, HWID, Endorsement
from signer.attestation.verify.errors import Code
from signer.attestation.verify.evidence import Evidence
from signer.attestation.verify.report import SigningKey
from signer.attestation.verify.tcb import Generation
from sixgate.simulated_platform.certificates import amd_extensions, issue
from sixgate.simulated_platform.platform import SimulatedChip
from tests.harness.builders.attestation import (
    AT,
    authority_keys,
    evidence_of,
    other_keys,
    refused,
    verified,
    with_chain,
)

CHIP = SimulatedChip.generate(Generation.MILAN, b"\x05" * 64)
GOOD = Endorsement("Milan-B0", CHIP.tcb, CHIP.chip_id, None)


def leaf(
    extensions: list[tuple[x509.ExtensionType, bool]] | None = None,
    *,
    name: str = "SEV-VCEK",
    key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | None = None,
    issuer: str = "SEV-Milan",
    padding: PSS = AMD_PSS,
) -> bytes:
    content = amd_extensions(GOOD, Generation.MILAN) if extensions is None else extensions
    subject = (name, key or CHIP.key.public_key())
    signer = (issuer, authority_keys().intermediates[SigningKey.VCEK])
    made = issue(subject, signer, AT, 1, content, padding=padding)
    return made.public_bytes(Encoding.DER)


def changed(**values: bytes | None) -> bytes:
    """Return a leaf in which these AMD extensions have other values or are missing."""
    held = {
        extension.oid.dotted_string: extension.value
        for extension, _ in amd_extensions(GOOD, Generation.MILAN)
        if isinstance(extension, x509.UnrecognizedExtension)
    }
    wanted = held | {ARC + oid.replace("_", "."): value for oid, value in values.items()}
    return leaf(
        [
            (x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), False)
            for oid, value in wanted.items()
            if value is not None
        ]
    )


def with_leaf(der: bytes) -> Evidence:
    return with_chain(evidence_of(CHIP), leaf=der)


def test_the_unchanged_leaf_is_accepted() -> None:
    verified(with_leaf(leaf()))
    verified(with_leaf(changed(**{HWID: b"\x04\x40" + CHIP.chip_id})))


@pytest.mark.parametrize(
    ("code", "values"),
    [
        (Code.EXTENSION_MISSING, {HWID: None}),
        (Code.EXTENSION_MISSING, {"1": None}),
        (Code.EXTENSION_MISSING, {"2": None}),
        (Code.EXTENSION_MISSING, {"3_1": None}),
        (Code.EXTENSION_MISSING, {"3_8": None}),
        (Code.EXTENSION_UNEXPECTED, {CSP_ID: b"\x16\x04CN=x"}),
        (Code.EXTENSION_UNEXPECTED, {"3_9": b"\x02\x01\x01"}),
        (Code.EXTENSION_UNEXPECTED, {"3_10": b"\x02\x01\x01"}),
        (Code.PRODUCT_MISMATCH, {"1": b"\x02\x01\x01"}),
        (Code.PRODUCT_MISMATCH, {"2": b"\x16\x05Genoa"}),
        (Code.PRODUCT_MISMATCH, {"2": b"\x16\x06Milano"}),
        (Code.EXTENSION_MALFORMED, {"2": b"\x0c\x05Milan"}),
        (Code.EXTENSION_MALFORMED, {"2": b"\x16\x06Milan"}),
        (Code.EXTENSION_MALFORMED, {"2": b""}),
        (Code.EXTENSION_MALFORMED, {"3_4": b"\x02\x01\x01"}),
        (Code.EXTENSION_MALFORMED, {"3_3": b"\x02\x02\x00\x1b"}),
        (Code.EXTENSION_MALFORMED, {"3_3": b"\x02\x01\x9b"}),
        (Code.EXTENSION_MALFORMED, {"3_3": b"\x02\x02\x01\x00"}),
        (Code.EXTENSION_MALFORMED, {"3_3": b"\x04\x01\x1b"}),
        (Code.EXTENSION_MALFORMED, {"3_3": b"\x02\x00"}),
        (Code.EXTENSION_MALFORMED, {"3_3": b"\x02\x01\x1b\x00"}),
        (Code.EXTENSION_MALFORMED, {HWID: b"\x05" * 63}),
        (Code.EXTENSION_MALFORMED, {HWID: b"\x04\x3f" + b"\x05" * 64}),
        (Code.TCB_MISMATCH, {"3_3": b"\x02\x01\x1c"}),
        (Code.TCB_MISMATCH, {"3_8": b"\x02\x02\x00\xdf"}),
        (Code.CHIP_ID_MISMATCH, {HWID: b"\x06" * 64}),
    ],
)
def test_a_leaf_with_other_extensions_is_refused(
    code: Code, values: dict[str, bytes | None]
) -> None:
    refused(code, with_leaf(changed(**values)))


def test_a_duplicated_extension_is_refused() -> None:
    """Parsers differ in whether they use the first or the last of two values."""
    single = changed(**{"3_7": None, "9": b"\x02\x01\x03"})
    first, last = (oid(f"{ARC}{number}") for number in ("9", "1"))
    assert single.count(first) == 1
    refused(Code.CERTIFICATE_MALFORMED, with_leaf(signed_again(single.replace(first, last))))
    verified(with_leaf(signed_again(single)))


def oid(dotted: str) -> bytes:
    """Return the DER of an OID below AMD's arc; its last part is one byte."""
    return bytes.fromhex("06092b060104019c7801") + bytes((int(dotted.rpartition(".")[2]),))


def signed_again(der: bytes) -> bytes:
    """Return a certificate with these bytes and the intermediate's signature over them."""
    key = authority_keys().intermediates[SigningKey.VCEK]
    signed = x509.load_der_x509_certificate(der).tbs_certificate_bytes
    signature = key.sign(signed, AMD_PSS, SHA384())
    return der[: -len(signature)] + signature


@pytest.mark.parametrize(
    "padding", [PSS(MGF1(SHA384()), 32), PSS(MGF1(SHA256()), 48), PSS(MGF1(SHA384()), 0)]
)
def test_a_wrong_pss_salt_or_mask_is_refused(padding: PSS) -> None:
    refused(Code.CERTIFICATE_ALGORITHM, with_leaf(leaf(padding=padding)))


def test_a_leaf_of_another_name_key_or_right_is_refused() -> None:
    good = amd_extensions(GOOD, Generation.MILAN)
    ca: list[tuple[x509.ExtensionType, bool]] = [(x509.BasicConstraints(True, None), True)]  # noqa: FBT003 - x509's own
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.3704.9"), b"\x05\x00")
    for der in (
        leaf(name="SEV-VLEK"),
        leaf(key=ec.generate_private_key(ec.SECP256R1()).public_key()),
        leaf(key=other_keys().root.public_key()),
        leaf(good + ca),
        leaf([*good, (unknown, True)]),
    ):
        refused(Code.CERTIFICATE_PROFILE, with_leaf(der))
    refused(Code.CERTIFICATE_SIGNATURE, with_leaf(leaf(issuer="SEV-Genoa")))
