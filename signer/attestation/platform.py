"""Whatever makes reports: a processor through the kernel, or a simulated platform."""

from dataclasses import dataclass
from typing import Protocol

from signer.attestation.binding import Binding
from signer.attestation.certificate_table import (
    CertificateTable,
    TableMalformedError,
    parse_table,
)
from signer.attestation.errors import AttestationError
from signer.attestation.report import REPORT_BYTES, parse

VMPL = 0
_RESPONSE_HEADER_BYTES = 0x20


class CollectionError(Exception):
    """No report could be had; the root of this tree."""


class PlatformUnavailableError(CollectionError):
    """The device or folder is not there, or does not do what it should."""


class PlatformBusyError(CollectionError):
    """The host throttles requests; the same one may succeed later."""


class FirmwareRefusedError(CollectionError):
    """The firmware answered with a status of its own instead of a report."""


class AnswerMalformedError(CollectionError):
    """What came is no report on what was asked."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A report (1184 bytes) as the platform gave it, and the certificates that came along."""

    report: bytes
    certificates: CertificateTable


class Platform(Protocol):
    """Makes reports; what they say in REPORT_DATA is always a ``Binding``, never free bytes."""

    def collect(self, binding: Binding) -> Collected:
        """Return a report of VMPL 0 that binds this; raise ``CollectionError``."""
        ...


def collected(report: bytes, table: bytes, binding: Binding) -> Collected:
    """Return an answer if it is one to what was asked; raise ``AnswerMalformedError``.

    This is no verification: it finds a device that is broken before a verifier does.
    """
    try:
        found = parse(report)
        certificates = parse_table(table)
    except (AttestationError, TableMalformedError) as error:
        raise AnswerMalformedError(f"the platform's answer is malformed: {error}") from None
    if found.report_data != binding.report_data() or found.vmpl != VMPL:
        raise AnswerMalformedError("the platform's report is not on what it was asked")
    return Collected(report, certificates)


def report_in(response: bytes) -> bytes:
    """Return the report in a firmware's answer (MSG_REPORT_RSP).

    Raises ``FirmwareRefusedError`` for a status, ``AnswerMalformedError`` for another size.
    """
    status, size = (int.from_bytes(response[at : at + 4], "little") for at in (0, 4))
    if status:
        raise FirmwareRefusedError(f"the firmware refused the report with status 0x{status:x}")
    report = response[_RESPONSE_HEADER_BYTES : _RESPONSE_HEADER_BYTES + REPORT_BYTES]
    if size != REPORT_BYTES or len(report) != REPORT_BYTES:
        told = f"the firmware answered {size} bytes, a report is {REPORT_BYTES}"
        raise AnswerMalformedError(told)
    return report
