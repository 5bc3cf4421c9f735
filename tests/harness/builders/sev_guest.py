"""A fake kernel: the ioctl of ``/dev/sev-guest`` and the folder of configfs-tsm."""

import ctypes
import errno
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from signer.attestation.device.certificate_table import CertificateTable
from signer.attestation.device.sev_guest import (
    SNP_GET_EXT_REPORT,
    SNP_GET_REPORT,
    VMM_BUSY,
    VMM_INVALID_LENGTH,
    ExtendedRequest,
    GuestRequest,
    ReportRequest,
    ReportResponse,
)

PAGE_BYTES = 4096
KINDS = {
    "vcek": UUID("63da758d-e664-4564-adc5-f4b93be8accd"),
    "vlek": UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1"),
    "intermediate": UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"),
    "root": UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae"),
}
"""The GUIDs of the certificates in a table, from the GHCB specification."""
Sign = Callable[[bytes, int], bytes]
"""Makes a report from REPORT_DATA and VMPL."""


def encode_table(table: CertificateTable) -> bytes:
    """Encode a certificate table as a host does."""
    held = [(kind, der) for name, kind in KINDS.items() if (der := getattr(table, name))]
    offset = 24 * (len(held) + 1)
    entries, certificates = b"", b""
    for kind, der in held:
        entries += struct.pack("<16sII", kind.bytes, offset + len(certificates), len(der))
        certificates += der
    return entries + bytes(24) + certificates


@dataclass
class PretendedDevice:
    """Answers as the kernel does, with the faults that a test sets."""

    sign: Sign
    table: bytes = b""
    busy: int = 0
    fw_error: int = 0
    vmm_error: int = 0
    errno: int = 0
    status: int = 0
    size: int | None = None
    cut: int = 0
    growing: bool = False
    calls: list[int] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    def ioctl(self, descriptor: int, number: int, call: Any) -> int:
        assert isinstance(call, GuestRequest)
        assert (descriptor, call.msg_version) == (7, 1)
        self.calls.append(number)
        if self.errno:
            raise OSError(self.errno, "Inappropriate ioctl for device")
        if self.busy:
            self.busy -= 1
            call.vmm_error = VMM_BUSY
            raise OSError(errno.EAGAIN, "Resource temporarily unavailable")
        if self.fw_error or self.vmm_error:
            call.fw_error, call.vmm_error = self.fw_error, self.vmm_error
            raise OSError(errno.EIO, "Input/output error")
        if number == SNP_GET_EXT_REPORT:
            return self._extended(call)
        assert number == SNP_GET_REPORT
        return self._respond(call, ReportRequest.from_address(call.req_data))

    def _extended(self, call: GuestRequest) -> int:
        asked = ExtendedRequest.from_address(call.req_data)
        if self.growing:
            self.table += bytes(PAGE_BYTES)
        pages = -(-len(self.table) // PAGE_BYTES)
        if asked.certs_len < pages * PAGE_BYTES:
            asked.certs_len = pages * PAGE_BYTES
            call.vmm_error = VMM_INVALID_LENGTH
            raise OSError(errno.EIO, "Input/output error")
        if self.table:
            ctypes.memmove(asked.certs_address, self.table, len(self.table))
        return self._respond(call, asked.data)

    def _respond(self, call: GuestRequest, request: ReportRequest) -> int:
        assert not any(request.reserved)
        report = self.sign(bytes(request.user_data), request.vmpl)
        size = len(report) if self.size is None else self.size
        header = self.status.to_bytes(4, "little") + size.to_bytes(4, "little")
        answer = (header.ljust(0x20, b"\x00") + report)[: 0x20 + len(report) - self.cut]
        response = ReportResponse.from_address(call.resp_data)
        response.data[: len(answer)] = answer
        return 0


@dataclass
class PretendedConfigfs:
    """The attributes of one folder in memory; ``wrong`` replaces the content of an attribute."""

    sign: Sign
    table: bytes = b""
    wrong: dict[str, bytes] = field(default_factory=dict)
    failing: dict[str, int] = field(default_factory=dict)
    meddling: bool = False
    folders: set[Path] = field(default_factory=set)
    written: dict[str, bytes] = field(default_factory=dict)
    generation: int = 0

    def make(self, folder: Path) -> None:
        self._fail("make")
        self.folders.add(folder)

    def write(self, attribute: Path, content: bytes) -> None:
        self._fail(attribute.name)
        assert attribute.parent in self.folders
        self.generation += 1
        self.written[attribute.name] = content

    def read(self, attribute: Path) -> bytes:
        self._fail(attribute.name)
        assert attribute.parent in self.folders
        if attribute.name in self.wrong:
            return self.wrong[attribute.name]
        match attribute.name:
            case "provider":
                return b"sev_guest\n"
            case "generation":
                return b"%d\n" % self.generation
            case "outblob":
                self.generation += self.meddling
                return self.sign(self.written["inblob"], int(self.written["privlevel"]))
        assert attribute.name == "auxblob"
        return self.table

    def remove(self, folder: Path) -> None:
        self.folders.remove(folder)

    def _fail(self, name: str) -> None:
        if name in self.failing:
            raise OSError(self.failing[name], "Device or resource busy")
