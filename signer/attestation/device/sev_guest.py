"""``/dev/sev-guest``: report collection through the kernel's ioctl.

Source: Linux, include/uapi/linux/sev-guest.h. An ioctl number contains the size of its argument
(32 bytes). A wrong number and a locked channel both fail with ENOTTY.
"""

import ctypes
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from signer.attestation.device.certificate_table import TABLE_BYTES_MAX
from signer.attestation.device.platform import (
    VMPL,
    Collected,
    FirmwareRefusedError,
    PlatformBusyError,
    PlatformUnavailableError,
    check_collected,
    report_of_response,
)
from signer.attestation.verify.binding import Binding

DEVICE = Path("/dev/sev-guest")
SNP_GET_REPORT = 0xC0205300
SNP_GET_EXT_REPORT = 0xC0205302
MESSAGE_VERSION = 1
VMM_INVALID_LENGTH = 1
VMM_BUSY = 2
ATTEMPTS_MAX = 6
BUSY_PAUSE_S = 2.0

Ioctl: TypeAlias = Callable[[int, int, Any], object]
"""``fcntl.ioctl``: descriptor, request number, buffer that the call modifies."""


class ReportRequest(ctypes.Structure):
    """``struct snp_report_req``, 96 bytes."""

    _fields_ = (
        ("user_data", ctypes.c_ubyte * 64),
        ("vmpl", ctypes.c_uint32),
        ("reserved", ctypes.c_ubyte * 28),
    )


class ReportResponse(ctypes.Structure):
    """``struct snp_report_resp``, 4000 bytes."""

    _fields_ = (("data", ctypes.c_ubyte * 4000),)


class ExtendedRequest(ctypes.Structure):
    """``struct snp_ext_report_req``, 112 bytes."""

    _fields_ = (
        ("data", ReportRequest),
        ("certs_address", ctypes.c_uint64),
        ("certs_len", ctypes.c_uint32),
    )


class GuestRequest(ctypes.Structure):
    """``struct snp_guest_request_ioctl``, 32 bytes."""

    _fields_ = (
        ("msg_version", ctypes.c_uint8),
        ("req_data", ctypes.c_uint64),
        ("resp_data", ctypes.c_uint64),
        ("fw_error", ctypes.c_uint32),
        ("vmm_error", ctypes.c_uint32),
    )


class SevGuestDevice:
    """An open device; a lock serialises the requests of this process.

    The caller injects ``ioctl`` (``fcntl.ioctl``) and ``pause`` (``time.sleep``, seconds).
    """

    def __init__(self, descriptor: int, ioctl: Ioctl, pause: Callable[[float], None]) -> None:
        self._descriptor = descriptor
        self._ioctl = ioctl
        self._pause = pause
        self._lock = threading.Lock()

    def collect(self, binding: Binding) -> Collected:
        """Return a report with the host's certificates; raise ``CollectionError``."""
        with self._lock:
            report, table = self._extended(_report_request(binding))
        return check_collected(report, table, binding)

    def collect_bare(self, binding: Binding) -> Collected:
        """Return a report without the host's certificates; raise ``CollectionError``."""
        with self._lock:
            request = _report_request(binding)
            response, vmm_error = self._answer(SNP_GET_REPORT, request)
        if vmm_error:
            raise _vmm_failure(vmm_error)
        return check_collected(report_of_response(response), b"", binding)

    def _extended(self, request: ReportRequest) -> tuple[bytes, bytes]:
        """Request a report with certificates; the first call asks the host for their size."""
        room = 0
        for _ in range(ATTEMPTS_MAX):
            certificates = (ctypes.c_ubyte * room)()
            address = ctypes.addressof(certificates) if room else 0
            extended = ExtendedRequest(data=request, certs_address=address, certs_len=room)
            response, vmm_error = self._answer(SNP_GET_EXT_REPORT, extended)
            if not vmm_error:
                return report_of_response(response), bytes(certificates)
            # The host asks for more room; one that asks for no more, or too much, is broken.
            if vmm_error != VMM_INVALID_LENGTH or not room < extended.certs_len <= TABLE_BYTES_MAX:
                raise _vmm_failure(vmm_error)
            room = extended.certs_len
        raise _vmm_failure(VMM_INVALID_LENGTH)

    def _answer(self, number: int, request: ctypes.Structure) -> tuple[bytes, int]:
        """Return response and host error (0: none); pause and retry while the host throttles."""
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                self._pause(BUSY_PAUSE_S)
            response = ReportResponse()
            call = GuestRequest(
                msg_version=MESSAGE_VERSION,
                req_data=ctypes.addressof(request),
                resp_data=ctypes.addressof(response),
            )
            failure = self._call(number, call)
            if call.vmm_error == VMM_BUSY:
                continue
            _check(call, failure)
            return bytes(response.data), call.vmm_error
        raise PlatformBusyError("the host throttles reports: retry later")

    def _call(self, number: int, call: GuestRequest) -> OSError | None:
        try:
            self._ioctl(self._descriptor, number, call)
        except OSError as error:
            return error
        return None


@contextmanager
def open_device(
    ioctl: Ioctl, pause: Callable[[float], None], path: Path = DEVICE
) -> Iterator[SevGuestDevice]:
    """Open the device for the block; raise ``PlatformUnavailableError`` if that fails."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise PlatformUnavailableError(f"{path} cannot be opened: {error.strerror}") from None
    try:
        yield SevGuestDevice(descriptor, ioctl, pause)
    finally:
        os.close(descriptor)


def _report_request(binding: Binding) -> ReportRequest:
    request = ReportRequest(vmpl=VMPL)
    request.user_data[:] = binding.report_data()
    return request


def _check(call: GuestRequest, failure: OSError | None) -> None:
    """Raise for an error of the firmware or of the ioctl; the caller handles the host's."""
    if call.vmm_error:
        return
    if call.fw_error:
        message = f"the firmware refused the request with error 0x{call.fw_error:x}"
        raise FirmwareRefusedError(message)
    if failure is not None:
        raise PlatformUnavailableError(f"the device failed: {failure.strerror}")


def _vmm_failure(vmm_error: int) -> PlatformUnavailableError:
    return PlatformUnavailableError(f"the host refused the report with error {vmm_error}")
