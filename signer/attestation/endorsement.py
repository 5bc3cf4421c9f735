"""What AMD says of a chip in the leaf's extensions, and that it says so of this report.

Source: AMD VCEK and VLEK certificate specifications (57230); extensions under 1.3.6.1.4.1.3704.1.
"""

from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509

from signer.attestation.errors import Code, EndorsementError
from signer.attestation.generations import CHIP_ID_BYTES, PROFILES, Generation
from signer.attestation.report import Report, SigningKey
from signer.attestation.tcb import Tcb

ARC = "1.3.6.1.4.1.3704.1."
STRUCTURE_VERSION, PRODUCT_NAME, HWID, CSP_ID = "1", "2", "4", "5"
LEVELS = {"boot_loader": "3.1", "tee": "3.2", "snp": "3.3", "microcode": "3.8", "fmc": "3.9"}
RESERVED_LEVELS = frozenset({"3.4", "3.5", "3.6", "3.7"})

_INTEGER, _OCTET_STRING, _IA5_STRING = 0x02, 0x04, 0x16
_SHORT_BYTES_MAX = 0x7F
_LEVEL_MAX = 0xFF


@dataclass(frozen=True, slots=True)
class Endorsement:
    """What a leaf is for: product, TCB, and the chip (VCEK) or the provider (VLEK)."""

    product_name: str
    tcb: Tcb
    hwid: bytes | None
    csp_id: str | None


def read_endorsement(
    leaf: x509.Certificate, generation: Generation, kind: SigningKey
) -> Endorsement:
    """Return what a leaf of that generation and kind says; raise ``EndorsementError``."""
    found = {
        extension.oid.dotted_string.removeprefix(ARC): extension.value.value
        for extension in leaf.extensions
        if extension.oid.dotted_string.startswith(ARC)
        and isinstance(extension.value, x509.UnrecognizedExtension)
    }
    _check_members(found, generation, kind)
    _check_product(found, generation)
    levels = {name: _integer(found, oid) for name, oid in LEVELS.items() if oid in found}
    is_vcek = kind is SigningKey.VCEK
    return Endorsement(
        _text(found, PRODUCT_NAME),
        Tcb(**levels),
        _hwid(found[HWID], PROFILES[generation].hwid_bytes) if is_vcek else None,
        None if is_vcek else _text(found, CSP_ID),
    )


def check_endorsement(endorsement: Endorsement, report: Report, reported: Tcb) -> None:
    """Raise ``EndorsementError`` unless the leaf is for REPORTED_TCB and, if a VCEK, CHIP_ID."""
    if endorsement.tcb != reported:
        told = (
            f"the leaf is for TCB {_levels(endorsement.tcb)}, the report says {_levels(reported)}"
        )
        raise EndorsementError(Code.TCB_MISMATCH, told)
    if endorsement.hwid is None:
        return
    if is_masked(report):
        told = "CHIP_ID is masked, so the leaf may be another chip's"
        raise EndorsementError(Code.CHIP_ID_MASKED, told)
    if endorsement.hwid.ljust(CHIP_ID_BYTES, b"\x00") != report.chip_id:
        told = "the leaf is for another chip than the report's"
        raise EndorsementError(Code.CHIP_ID_MISMATCH, told)


def is_masked(report: Report) -> bool:
    """Tell whether the host hides which chip it is."""
    return report.mask_chip_key or not any(report.chip_id)


def check_chip(report: Report, denied: Collection[str], *, masked_allowed: bool) -> None:
    """Raise ``EndorsementError`` for a denied chip (CHIP_ID in 0x hex), or one that hides."""
    if is_masked(report) and not masked_allowed:
        told = "CHIP_ID is masked and the policy does not allow that"
        raise EndorsementError(Code.CHIP_ID_MASKED, told)
    if f"0x{report.chip_id.hex()}" in denied:
        raise EndorsementError(Code.CHIP_ID_DENIED, "the policy denies this chip")


def check_provider(endorsement: Endorsement, accepted: Collection[str]) -> None:
    """Raise ``EndorsementError`` for a VLEK of a provider that is not accepted."""
    if endorsement.csp_id is not None and endorsement.csp_id not in accepted:
        told = f"the policy does not name the provider {endorsement.csp_id!a}"
        raise EndorsementError(Code.CSP_REFUSED, told)


def _check_members(found: Collection[str], generation: Generation, kind: SigningKey) -> None:
    layout = PROFILES[generation].layout
    identity, foreign = (HWID, CSP_ID) if kind is SigningKey.VCEK else (CSP_ID, HWID)
    wanted = {STRUCTURE_VERSION, PRODUCT_NAME, identity}
    wanted |= {oid for name, oid in LEVELS.items() if name in layout}
    if missing := wanted.difference(found):
        told = f"the leaf lacks the extension {ARC}{min(missing)}"
        raise EndorsementError(Code.EXTENSION_MISSING, told)
    # A level that nobody compares would be a part of the TCB that nobody attests.
    for oid in found:
        level = oid.startswith("3.") and oid not in wanted | RESERVED_LEVELS
        if level or oid == foreign:
            told = f"the leaf of a {generation} {kind.upper()} has the extension {ARC}{oid}"
            raise EndorsementError(Code.EXTENSION_UNEXPECTED, told)


def _check_product(found: dict[str, bytes], generation: Generation) -> None:
    profile, name = PROFILES[generation], _text(found, PRODUCT_NAME)
    version = _integer(found, STRUCTURE_VERSION)
    # The stepping behind the dash is unreliable.
    if name.partition("-")[0] != profile.product or version != profile.structure_version:
        told = f"the leaf is for product {name!a} in structure {version}, not for {generation}"
        raise EndorsementError(Code.PRODUCT_MISMATCH, told)
    if any(_integer(found, oid) for oid in RESERVED_LEVELS.intersection(found)):
        told = "the leaf sets a reserved level of the TCB"
        raise EndorsementError(Code.EXTENSION_MALFORMED, told)


def _integer(found: dict[str, bytes], oid: str) -> int:
    """Read a DER INTEGER from 0 to 255 in its one encoding."""
    raw = found[oid]
    value = int.from_bytes(raw[2:], "big")
    content = value.to_bytes(value.bit_length() // 8 + 1, "big")  # room for the sign
    if value > _LEVEL_MAX or raw != bytes((_INTEGER, len(content))) + content:
        raise _malformed(oid, f"no integer from 0 to {_LEVEL_MAX}")
    return value


def _text(found: dict[str, bytes], oid: str) -> str:
    raw = found[oid]
    header = bytes((_IA5_STRING, max(0, len(raw) - 2) & _SHORT_BYTES_MAX))
    if raw[:2] != header or len(raw) - 2 > _SHORT_BYTES_MAX or not raw.isascii():
        raise _malformed(oid, "no short IA5String")
    return raw[2:].decode("ascii")


def _hwid(raw: bytes, size: int) -> bytes:
    """Read the chip's id: raw in all genuine leaves, an OCTET STRING in the specification."""
    if len(raw) == size:
        return raw
    if len(raw) == size + 2 and raw[:2] == bytes((_OCTET_STRING, size)):
        return raw[2:]
    raise _malformed(HWID, f"no {size} bytes")


def _malformed(oid: str, wrong: str) -> EndorsementError:
    return EndorsementError(Code.EXTENSION_MALFORMED, f"the extension {ARC}{oid} holds {wrong}")


def _levels(tcb: Tcb) -> str:
    return " ".join(f"{name} {value}" for name, value in tcb.plain().items())
