"""Parser of ATTESTATION_REPORT: 1184 bytes in, every field out, no byte unchecked (step 1).

Source: AMD SEV-SNP ABI (56860), table ATTESTATION_REPORT; little endian. Versions 2, 3 and 5 have
the same offsets; newer versions only use formerly reserved bytes. The signature covers the first
0x2A0 bytes. The bytes after them are unsigned, so a report is identified by the digest of its
signed bytes, never by a digest of all bytes.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from signer.attestation.verify.errors import Code, EvidenceError

REPORT_BYTES = 0x4A0
SIGNED_BYTES = 0x2A0
REPORT_DATA_BYTES = 64
VERSIONS = (2, 3, 5)
ECDSA_P384_SHA384 = 1


class SigningKey(StrEnum):
    """Kind of key that signs a report: the chip's own (VCEK) or a cloud provider's (VLEK)."""

    VCEK = "vcek"
    VLEK = "vlek"


class Field(NamedTuple):
    """Position of a field: offset, ``struct`` format code, and the first version that has it."""

    name: str
    offset: int
    code: str
    since: int = 2

    @property
    def end(self) -> int:
        """The offset of the first byte after the field."""
        return self.offset + struct.calcsize(self.code)


FIELDS: tuple[Field, ...] = (
    Field("version", 0x000, "I"),
    Field("guest_svn", 0x004, "I"),
    Field("policy", 0x008, "Q"),
    Field("family_id", 0x010, "16s"),
    Field("image_id", 0x020, "16s"),
    Field("vmpl", 0x030, "I"),
    Field("signature_algorithm", 0x034, "I"),
    Field("current_tcb", 0x038, "8s"),
    Field("platform_info", 0x040, "Q"),
    Field("key_info", 0x048, "I"),
    Field("report_data", 0x050, "64s"),
    Field("measurement", 0x090, "48s"),
    Field("host_data", 0x0C0, "32s"),
    Field("id_key_digest", 0x0E0, "48s"),
    Field("author_key_digest", 0x110, "48s"),
    Field("report_id", 0x140, "32s"),
    Field("report_id_ma", 0x160, "32s"),
    Field("reported_tcb", 0x180, "8s"),
    Field("cpu_family", 0x188, "B", since=3),
    Field("cpu_model", 0x189, "B", since=3),
    Field("cpu_stepping", 0x18A, "B", since=3),
    Field("chip_id", 0x1A0, "64s"),
    Field("committed_tcb", 0x1E0, "8s"),
    Field("current_build", 0x1E8, "B"),
    Field("current_minor", 0x1E9, "B"),
    Field("current_major", 0x1EA, "B"),
    Field("committed_build", 0x1EC, "B"),
    Field("committed_minor", 0x1ED, "B"),
    Field("committed_major", 0x1EE, "B"),
    Field("launch_tcb", 0x1F0, "8s"),
    Field("launch_mitigations", 0x1F8, "Q", since=5),
    Field("current_mitigations", 0x200, "Q", since=5),
    Field("signature_r", 0x2A0, "48s"),
    Field("signature_s", 0x2E8, "48s"),
)
"""The only layout table. A byte that no field of a report's version covers must be zero."""

GUEST_POLICY_BITS: dict[str, int] = {
    "smt": 16,
    "reserved_one": 17,
    "migrate_ma": 18,
    "debug": 19,
    "single_socket": 20,
    "cxl_allow": 21,
    "mem_aes_256_xts": 22,
    "rapl_disable": 23,
    "ciphertext_hiding_dram": 24,
    "page_swap_disable": 25,
}
PLATFORM_BITS: dict[str, int] = {
    "smt": 0,
    "tsme": 1,
    "ecc": 2,
    "rapl_disabled": 3,
    "ciphertext_hiding_dram": 4,
    "alias_check_complete": 5,
    "tio": 7,
}
"""Real firmware also sets other bits; only the masks of a verification policy refuse them."""

_SIGNING_KEYS = {0: SigningKey.VCEK, 1: SigningKey.VLEK}
_GUEST_POLICY_BITS_MAX = 26
_KEY_INFO_BITS_MAX = 5


@dataclass(frozen=True, slots=True)
class Report:
    """The fields of a report in the order of ``FIELDS``; fields that its version lacks are zero.

    TCBs stay eight raw bytes, because their layout depends on the generation. ``signature_r`` and
    ``signature_s`` are little endian. ``signed`` is the signed part of the report.
    """

    version: int
    guest_svn: int
    policy: int
    family_id: bytes
    image_id: bytes
    vmpl: int
    signature_algorithm: int
    current_tcb: bytes
    platform_info: int
    key_info: int
    report_data: bytes
    measurement: bytes
    host_data: bytes
    id_key_digest: bytes
    author_key_digest: bytes
    report_id: bytes
    report_id_ma: bytes
    reported_tcb: bytes
    cpu_family: int
    cpu_model: int
    cpu_stepping: int
    chip_id: bytes
    committed_tcb: bytes
    current_build: int
    current_minor: int
    current_major: int
    committed_build: int
    committed_minor: int
    committed_major: int
    launch_tcb: bytes
    launch_mitigations: int
    current_mitigations: int
    signature_r: bytes
    signature_s: bytes
    signed: bytes

    @property
    def author_key_enabled(self) -> bool:
        """Whether the guest was launched with an author key (else AUTHOR_KEY_DIGEST is unused)."""
        return bool(self.key_info & 1)

    @property
    def mask_chip_key(self) -> bool:
        """Whether the host masked the chip key (MASK_CHIP_KEY)."""
        return bool(self.key_info >> 1 & 1)

    @property
    def signing_key(self) -> SigningKey | None:
        """The kind of key in SIGNING_KEY; None for 7 (no key) and for reserved values."""
        return _SIGNING_KEYS.get(self.key_info >> 2 & 7)

    @property
    def committed_firmware(self) -> tuple[int, int, int]:
        """Committed firmware version (major, minor, build): no rollback below it is possible."""
        return self.committed_major, self.committed_minor, self.committed_build

    @property
    def digest(self) -> str:
        """SHA-256 (0x hex) of the signed bytes: the identity of the report.

        Not of all bytes: anyone can turn the signature (r, s) into a second valid one, (r, n - s).
        """
        return "0x" + hashlib.sha256(self.signed).hexdigest()


def _struct_format() -> str:
    code, at = "<", 0
    for field in FIELDS:
        code += "x" * (field.offset - at) + field.code
        at = field.end
    return code + "x" * (REPORT_BYTES - at)


_STRUCT = struct.Struct(_struct_format())


@cache
def reserved_ranges(version: int) -> tuple[tuple[int, int], ...]:
    """Return the byte ranges (start, end) that must be zero in reports of a version."""
    ranges, at = [], 0
    for field in FIELDS:
        if field.since <= version:
            ranges.append((at, field.offset))
            at = field.end
    ranges.append((at, REPORT_BYTES))
    return tuple((start, end) for start, end in ranges if start < end)


def parse(raw: bytes) -> Report:
    """Parse one well-formed report; raise ``EvidenceError`` for any other bytes."""
    if len(raw) != REPORT_BYTES:
        message = f"a report has {REPORT_BYTES} bytes, this has {len(raw)}"
        raise EvidenceError(Code.REPORT_SIZE, message)
    report = Report(*(*_STRUCT.unpack(raw), raw[:SIGNED_BYTES]))
    if report.version not in VERSIONS:
        message = f"report version {report.version} is not supported; supported are 2, 3 and 5"
        raise EvidenceError(Code.VERSION_UNKNOWN, message)
    if report.signature_algorithm != ECDSA_P384_SHA384:
        message = (
            f"signature algorithm {report.signature_algorithm} is not ECDSA P-384 with SHA-384"
        )
        raise EvidenceError(Code.ALGORITHM_UNKNOWN, message)
    _check_reserved(raw, report)
    return report


def _check_reserved(raw: bytes, report: Report) -> None:
    for start, end in reserved_ranges(report.version):
        if raw.count(0, start, end) != end - start:
            message = (
                f"bytes 0x{start:03x} to 0x{end - 1:03x} must be zero in version {report.version}"
            )
            raise EvidenceError(Code.RESERVED_SET, message)
    if report.key_info >> _KEY_INFO_BITS_MAX:
        message = "bits 31:5 of the key information at 0x048 must be zero"
        raise EvidenceError(Code.RESERVED_SET, message)
    if report.policy >> _GUEST_POLICY_BITS_MAX:
        message = "POLICY sets an undefined bit (63:26), which may grant an unknown permission"
        raise EvidenceError(Code.GUEST_POLICY_MALFORMED, message)
    if not report.policy >> GUEST_POLICY_BITS["reserved_one"] & 1:
        message = "bit 17 of POLICY must be one"
        raise EvidenceError(Code.GUEST_POLICY_MALFORMED, message)


def bits(value: int, names: Mapping[str, int]) -> dict[str, bool]:
    """Return the named bits of an integer."""
    return {name: bool(value >> bit & 1) for name, bit in names.items()}
