"""Parser of the certificate table that a host supplies to its guest: untrusted, bounds-checked.

Entries of 24 bytes (GUID in big-endian order, u32 offset, u32 length, little endian) end with an
entry of zeros; the certificates follow. It may be empty. Source: GHCB specification, SNP extended
guest request.
"""

import struct
from dataclasses import dataclass

from signer.attestation.verify.errors import AttestationError

TABLE_BYTES_MAX = 64 * 1024
ENTRIES_MAX = 64
_ENTRY = struct.Struct("<16sII")
_END = bytes(16)
_NAMES = {
    bytes.fromhex("63da758de6644564adc5f4b93be8accd"): "vcek",
    bytes.fromhex("a8074bc2a25a483eaae639c045a0b8a1"): "vlek",
    bytes.fromhex("4ab7b379bbac4fe4a02f05aef327c782"): "intermediate",
    bytes.fromhex("c0b406a4a803495297433fb6014cd0ae"): "root",
}


class TableMalformedError(AttestationError):
    """An entry points outside of the table or repeats, or the table is too large or has no end."""


@dataclass(frozen=True, slots=True)
class CertificateTable:
    """The host's certificates (DER); each may be absent."""

    vcek: bytes | None = None
    vlek: bytes | None = None
    intermediate: bytes | None = None
    root: bytes | None = None


def parse_table(raw: bytes) -> CertificateTable:
    """Parse the known certificates of a table; raise ``TableMalformedError``.

    A table that is absent or all zeros has no entries. Unknown kinds are ignored.
    """
    found: dict[str, bytes] = {}
    if not any(raw):
        return CertificateTable()
    if len(raw) > TABLE_BYTES_MAX:
        raise TableMalformedError(f"the certificate table is too large: {len(raw)} bytes")
    for number in range(ENTRIES_MAX):
        guid, offset, length = _entry(raw, number)
        if guid == _END:
            return CertificateTable(**found)
        if offset + length > len(raw):
            raise TableMalformedError("an entry points outside of the certificate table")
        name = _NAMES.get(guid)
        if name in found:
            raise TableMalformedError(f"the certificate table has two entries for {name}")
        if name:
            found[name] = raw[offset : offset + length]
    raise TableMalformedError(f"the certificate table has more than {ENTRIES_MAX} entries")


def _entry(raw: bytes, number: int) -> tuple[bytes, int, int]:
    try:
        guid, offset, length = _ENTRY.unpack_from(raw, number * _ENTRY.size)
    except struct.error:
        raise TableMalformedError("the certificate table has no end entry") from None
    return guid, offset, length
