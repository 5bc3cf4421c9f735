"""Endorsement: AMD's extensions in the leaf, compared with the report (step 5).

1. The leaf has exactly the extensions of its generation and kind (``read_endorsement``).
2. Its TCB is REPORTED_TCB; a VCEK's hardware id is CHIP_ID (``check_endorsement``).
3. The policy does not deny the chip (``check_chip``) and names the cloud provider of a VLEK
   (``check_provider``).

Source: AMD VCEK and VLEK certificate specifications (57230); extensions under 1.3.6.1.4.1.3704.1.
"""

from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509

from signer.attestation.verify.errors import Code, EvidenceError
from signer.attestation.verify.generations import CHIP_ID_BYTES, PROFILES
from signer.attestation.verify.report import Report, SigningKey
from signer.attestation.verify.tcb import Generation, Tcb

ARC = "1.3.6.1.4.1.3704.1."
STRUCTURE_VERSION, PRODUCT_NAME, HWID, CSP_ID = "1", "2", "4", "5"
SPL_OIDS = {"boot_loader": "3.1", "tee": "3.2", "snp": "3.3", "microcode": "3.8", "fmc": "3.9"}
# Reserved security patch levels (SPL): zero in every leaf that has them.
RESERVED_SPL_OIDS = frozenset({"3.4", "3.5", "3.6", "3.7"})

_INTEGER, _OCTET_STRING, _IA5_STRING = 0x02, 0x04, 0x16
_SHORT_BYTES_MAX = 0x7F
_SPL_MAX = 0xFF


@dataclass(frozen=True, slots=True)
class Endorsement:
    """A leaf's extensions: product, TCB, and chip (VCEK) or cloud provider (VLEK)."""

    product_name: str
    tcb: Tcb
    hwid: bytes | None
    csp_id: str | None


def read_endorsement(
    leaf: x509.Certificate, generation: Generation, kind: SigningKey
) -> Endorsement:
    """Parse the extensions of a leaf of that generation and kind; raise ``EvidenceError``."""
    # 1. Unknown, missing and foreign extensions are refused before any value is used.
    extensions = {
        extension.oid.dotted_string.removeprefix(ARC): extension.value.value
        for extension in leaf.extensions
        if extension.oid.dotted_string.startswith(ARC)
        and isinstance(extension.value, x509.UnrecognizedExtension)
    }
    _check_members(extensions, generation, kind)
    _check_product(extensions, generation)
    spls = {name: _integer(extensions, oid) for name, oid in SPL_OIDS.items() if oid in extensions}
    is_vcek = kind is SigningKey.VCEK
    return Endorsement(
        _text(extensions, PRODUCT_NAME),
        Tcb(**spls),
        _hwid(extensions[HWID], PROFILES[generation].hwid_bytes) if is_vcek else None,
        None if is_vcek else _text(extensions, CSP_ID),
    )


def check_endorsement(endorsement: Endorsement, report: Report, reported: Tcb) -> None:
    """Raise ``EvidenceError`` unless the leaf is for REPORTED_TCB and, if a VCEK, CHIP_ID."""
    # 2. Equality, not "at least": a VCEK is derived for exactly one TCB.
    if endorsement.tcb != reported:
        message = (
            f"the leaf is for TCB {_shown(endorsement.tcb)}, REPORTED_TCB is {_shown(reported)}"
        )
        raise EvidenceError(Code.TCB_MISMATCH, message)
    if endorsement.hwid is None:  # a VLEK names no chip
        return
    if is_masked(report):
        message = "CHIP_ID is masked, so the report cannot be matched to the chip of the VCEK"
        raise EvidenceError(Code.CHIP_ID_MASKED, message)
    if endorsement.hwid.ljust(CHIP_ID_BYTES, b"\x00") != report.chip_id:
        message = "the leaf is for another chip: its hardware id is not CHIP_ID"
        raise EvidenceError(Code.CHIP_ID_MISMATCH, message)


def is_masked(report: Report) -> bool:
    """Return whether the host masks CHIP_ID or the chip key."""
    return report.mask_chip_key or not any(report.chip_id)


def check_chip(report: Report, denied: Collection[str], *, masked_allowed: bool) -> None:
    """Raise ``EvidenceError`` for a denied chip (CHIP_ID in 0x hex) or a masked CHIP_ID."""
    # 3. AMD cannot revoke a single chip (every leaf has serial number 0), so the policy denies it.
    if is_masked(report) and not masked_allowed:
        message = "CHIP_ID is masked, and the policy does not set masked_chip_allowed"
        raise EvidenceError(Code.CHIP_ID_MASKED, message)
    if f"0x{report.chip_id.hex()}" in denied:
        raise EvidenceError(Code.CHIP_ID_DENIED, "the policy lists this chip in chip_ids_denied")


def check_provider(endorsement: Endorsement, accepted: Collection[str]) -> None:
    """Raise ``EvidenceError`` for a VLEK of a cloud provider that is not in ``csp_ids``."""
    if endorsement.csp_id is not None and endorsement.csp_id not in accepted:
        message = f"the policy does not list the cloud provider {endorsement.csp_id!a} in csp_ids"
        raise EvidenceError(Code.CSP_REFUSED, message)


def _check_members(extensions: Collection[str], generation: Generation, kind: SigningKey) -> None:
    layout = PROFILES[generation].layout
    identity, foreign = (HWID, CSP_ID) if kind is SigningKey.VCEK else (CSP_ID, HWID)
    required = {STRUCTURE_VERSION, PRODUCT_NAME, identity}
    required |= {oid for name, oid in SPL_OIDS.items() if name in layout}
    if missing := required.difference(extensions):
        message = f"the leaf lacks the extension {ARC}{min(missing)}"
        raise EvidenceError(Code.EXTENSION_MISSING, message)
    # An unknown SPL would be a component of the TCB that no check compares.
    for oid in extensions:
        unknown_spl = oid.startswith("3.") and oid not in required | RESERVED_SPL_OIDS
        if unknown_spl or oid == foreign:
            message = f"a {kind.upper()} of {generation} must not have the extension {ARC}{oid}"
            raise EvidenceError(Code.EXTENSION_UNEXPECTED, message)


def _check_product(extensions: dict[str, bytes], generation: Generation) -> None:
    profile, name = PROFILES[generation], _text(extensions, PRODUCT_NAME)
    version = _integer(extensions, STRUCTURE_VERSION)
    # Only the product is compared: the stepping after the dash is unreliable.
    if name.partition("-")[0] != profile.product or version != profile.structure_version:
        message = (
            f"the leaf is for product {name!a}, structure version {version}, not for {generation}"
        )
        raise EvidenceError(Code.PRODUCT_MISMATCH, message)
    if any(_integer(extensions, oid) for oid in RESERVED_SPL_OIDS.intersection(extensions)):
        message = "the leaf has a reserved SPL that is not zero"
        raise EvidenceError(Code.EXTENSION_MALFORMED, message)


def _integer(extensions: dict[str, bytes], oid: str) -> int:
    """Decode a DER INTEGER from 0 to 255; accept only the canonical encoding."""
    raw = extensions[oid]
    value = int.from_bytes(raw[2:], "big")
    content = value.to_bytes(
        value.bit_length() // 8 + 1, "big"
    )  # a leading zero byte keeps 128 and above positive
    if value > _SPL_MAX or raw != bytes((_INTEGER, len(content))) + content:
        raise _malformed(oid, f"an integer from 0 to {_SPL_MAX}")
    return value


def _text(extensions: dict[str, bytes], oid: str) -> str:
    raw = extensions[oid]
    header = bytes((_IA5_STRING, max(0, len(raw) - 2) & _SHORT_BYTES_MAX))
    if raw[:2] != header or len(raw) - 2 > _SHORT_BYTES_MAX or not raw.isascii():
        raise _malformed(oid, f"an IA5String of at most {_SHORT_BYTES_MAX} bytes")
    return raw[2:].decode("ascii")


def _hwid(raw: bytes, size: int) -> bytes:
    """Decode the hardware id: raw in all genuine leaves, an OCTET STRING in the specification."""
    if len(raw) == size:
        return raw
    if len(raw) == size + 2 and raw[:2] == bytes((_OCTET_STRING, size)):
        return raw[2:]
    raise _malformed(HWID, f"{size} bytes")


def _malformed(oid: str, expected: str) -> EvidenceError:
    message = f"the extension {ARC}{oid} does not hold {expected}"
    return EvidenceError(Code.EXTENSION_MALFORMED, message)


def _shown(tcb: Tcb) -> str:
    return " ".join(f"{name} {value}" for name, value in tcb.plain().items())
