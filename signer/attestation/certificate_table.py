"""The certificate table that a host hands to its guest: bounded, and believed in nothing.

Entries of 24 bytes (GUID in big-endian order, u32 offset, u32 length, little endian), ended by one
of zeros; the certificates lie behind. It may be empty. Source: GHCB specification, SNP extended
guest request.
"""

import struct
from dataclasses import dataclass

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


class TableMalformedError(ValueError):
    """A certificate table whose entries lead nowhere, overlap its end, or repeat."""


@dataclass(frozen=True, slots=True)
class CertificateTable:
    """The certificates (DER) that came along with a report; each may be absent."""

    vcek: bytes | None = None
    vlek: bytes | None = None
    intermediate: bytes | None = None
    root: bytes | None = None


def parse_table(raw: bytes) -> CertificateTable:
    """Return the known certificates of a table; raise ``TableMalformedError``.

    No bytes at all, or only zeros, are a table without entries. Unknown kinds are passed over.
    """
    found: dict[str, bytes] = {}
    if not any(raw):
        return CertificateTable()
    if len(raw) > TABLE_BYTES_MAX:
        raise TableMalformedError(f"a certificate table of {len(raw)} bytes is too large")
    for number in range(ENTRIES_MAX):
        guid, offset, length = _entry(raw, number)
        if guid == _END:
            return CertificateTable(**found)
        if offset + length > len(raw):
            raise TableMalformedError("a certificate lies outside of its table")
        name = _NAMES.get(guid)
        if name in found:
            raise TableMalformedError(f"the table has the {name} twice")
        if name:
            found[name] = raw[offset : offset + length]
    raise TableMalformedError(f"the table has more than {ENTRIES_MAX} entries")


def _entry(raw: bytes, number: int) -> tuple[bytes, int, int]:
    try:
        guid, offset, length = _ENTRY.unpack_from(raw, number * _ENTRY.size)
    except struct.error:
        raise TableMalformedError("the certificate table has no end") from None
    return guid, offset, length
