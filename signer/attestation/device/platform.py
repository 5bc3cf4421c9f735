"""Port to a platform that makes reports: a processor through the kernel, or a simulation."""

from dataclasses import dataclass
from typing import Protocol

from signer.attestation.device.certificate_table import (
    CertificateTable,
    TableMalformedError,
    parse_table,
)
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.errors import AttestationError, EvidenceError
from signer.attestation.verify.report import REPORT_BYTES, parse

VMPL = 0
_RESPONSE_HEADER_BYTES = 0x20


class CollectionError(AttestationError):
    """The platform gave no report."""


class PlatformUnavailableError(CollectionError):
    """The device, folder or a certificate is missing or unusable."""


class PlatformBusyError(CollectionError):
    """The host throttles requests; a retry may succeed."""


class FirmwareRefusedError(CollectionError):
    """The firmware returned an error status instead of a report."""


class AnswerMalformedError(CollectionError):
    """The platform's answer is not a report on the requested binding."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A report (1184 bytes) and the certificates that the host supplied with it."""

    report: bytes
    certificates: CertificateTable


class Platform(Protocol):
    """Makes reports. Their REPORT_DATA is always a ``Binding``, never free bytes."""

    def collect(self, binding: Binding) -> Collected:
        """Return a report of VMPL 0 with this binding; raise ``CollectionError``."""
        ...


def check_collected(report: bytes, table: bytes, binding: Binding) -> Collected:
    """Check that a report answers the request; raise ``AnswerMalformedError``.

    This does not verify the report. It detects a broken device before a verifier does.
    """
    try:
        found = parse(report)
        certificates = parse_table(table)
    except (EvidenceError, TableMalformedError) as error:
        raise AnswerMalformedError(f"the platform's answer is malformed: {error}") from None
    if found.report_data != binding.report_data() or found.vmpl != VMPL:
        raise AnswerMalformedError(
            "the platform's report has another REPORT_DATA or VMPL than requested"
        )
    return Collected(report, certificates)


def report_of_response(response: bytes) -> bytes:
    """Return the report in a firmware response (MSG_REPORT_RSP).

    Raises ``FirmwareRefusedError`` for an error status, ``AnswerMalformedError`` for a wrong size.
    """
    status, size = (int.from_bytes(response[at : at + 4], "little") for at in (0, 4))
    if status:
        raise FirmwareRefusedError(f"the firmware refused the report with status 0x{status:x}")
    report = response[_RESPONSE_HEADER_BYTES : _RESPONSE_HEADER_BYTES + REPORT_BYTES]
    if size != REPORT_BYTES or len(report) != REPORT_BYTES:
        message = f"the firmware returned {size} bytes, a report has {REPORT_BYTES}"
        raise AnswerMalformedError(message)
    return report
