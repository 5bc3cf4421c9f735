"""``/dev/sev-guest`` and configfs-tsm: the kernel's numbers, and broken kernels."""

import ctypes
import errno
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.attestation.device import sev_guest
from signer.attestation.device.certificate_table import CertificateTable
from signer.attestation.device.configfs import ConfigfsPlatform
from signer.attestation.device.platform import (
    AnswerMalformedError,
    CollectionError,
    FirmwareRefusedError,
    Platform,
    PlatformBusyError,
    PlatformUnavailableError,
)
from signer.attestation.device.sev_guest import SevGuestDevice, open_device
from signer.attestation.verify.evidence import EncodedChain, Evidence
from tests.harness.builders.attestation import BINDING, crl, platform, verified
from tests.harness.builders.sev_guest import (
    PAGE_BYTES,
    PretendedConfigfs,
    PretendedDevice,
    encode_table,
)

ROOT = Path("/configfs")


def sign(report_data: bytes, vmpl: int) -> bytes:
    return platform().sign({"report_data": report_data, "vmpl": vmpl})


def table() -> bytes:
    chain = platform().certificates
    whole = CertificateTable(chain.leaf, None, chain.intermediate, chain.root)
    return encode_table(whole)


def pretended(**terms: Any) -> tuple[PretendedDevice, SevGuestDevice]:
    kernel = PretendedDevice(sign, **({"table": table()} | terms))
    return kernel, SevGuestDevice(7, kernel.ioctl, kernel.pauses.append)


def configfs(**terms: Any) -> tuple[PretendedConfigfs, ConfigfsPlatform]:
    kernel = PretendedConfigfs(sign, **({"table": table()} | terms))
    return kernel, ConfigfsPlatform("sixgate-1", ROOT, kernel)


def test_the_numbers_are_the_kernels() -> None:
    sizes = (sev_guest.ReportRequest, sev_guest.ReportResponse, sev_guest.ExtendedRequest)
    assert [ctypes.sizeof(kind) for kind in sizes] == [96, 4000, 112]
    assert ctypes.sizeof(sev_guest.GuestRequest) == 32
    places = [getattr(sev_guest.GuestRequest, name).offset for name in ("req_data", "fw_error")]
    assert places == [8, 24]
    for number, wanted in ((0, sev_guest.SNP_GET_REPORT), (2, sev_guest.SNP_GET_EXT_REPORT)):
        assert 3 << 30 | 32 << 16 | ord("S") << 8 | number == wanted


@pytest.mark.parametrize("source", [pretended()[1], configfs()[1], platform()])
def test_what_a_platform_collects_verifies(source: Platform) -> None:
    """Both kernel interfaces and the simulated platform have the same contract."""
    found = source.collect(BINDING)
    held = found.certificates
    assert held.vcek
    assert held.intermediate
    assert held.root
    chain = EncodedChain(held.vcek, held.intermediate, held.root)
    verified(Evidence(found.report, chain, crl()))


def test_the_device_asks_for_the_tables_size_and_then_for_the_table() -> None:
    kernel, guest = pretended()
    guest.collect(BINDING)
    assert kernel.calls == [sev_guest.SNP_GET_EXT_REPORT] * 2


def test_a_host_may_give_no_certificates() -> None:
    for empty in (b"", bytes(PAGE_BYTES), bytes(24)):
        _, guest = pretended(table=empty)
        assert guest.collect(BINDING).certificates == CertificateTable()
        _, folder = configfs(table=empty)
        assert folder.collect(BINDING).certificates == CertificateTable()


def test_a_bare_report_asks_for_no_certificates() -> None:
    kernel, guest = pretended()
    assert guest.collect_bare(BINDING).certificates == CertificateTable()
    assert kernel.calls == [sev_guest.SNP_GET_REPORT]


def test_a_request_to_a_busy_host_is_retried_with_pauses() -> None:
    kernel, guest = pretended(busy=3)
    guest.collect(BINDING)
    assert kernel.pauses == [sev_guest.BUSY_PAUSE_S] * 3


def test_retries_to_a_busy_host_are_limited() -> None:
    kernel, guest = pretended(busy=99)
    with pytest.raises(PlatformBusyError):
        guest.collect(BINDING)
    assert len(kernel.calls) == sev_guest.ATTEMPTS_MAX


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"errno": errno.ENOTTY}, PlatformUnavailableError),
        ({"fw_error": 0x16}, FirmwareRefusedError),
        ({"fw_error": 0xFFFFFFFF}, FirmwareRefusedError),
        ({"vmm_error": 3}, PlatformUnavailableError),
        ({"vmm_error": 1}, PlatformUnavailableError),
        ({"growing": True}, PlatformUnavailableError),
        ({"table": b"\x01" * 128 * 1024}, PlatformUnavailableError),
        ({"status": 0x16}, FirmwareRefusedError),
        ({"size": 0}, AnswerMalformedError),
        ({"size": 1183}, AnswerMalformedError),
        ({"size": 4000}, AnswerMalformedError),
        ({"cut": 1120}, AnswerMalformedError),
        ({"table": b"\x01" * 48}, AnswerMalformedError),
    ],
)
def test_a_broken_device_is_detected(terms: dict[str, Any], error: type[CollectionError]) -> None:
    _, guest = pretended(**terms)
    with pytest.raises(error):
        guest.collect(BINDING)


def test_a_bare_report_of_a_broken_host_is_detected() -> None:
    _, guest = pretended(vmm_error=1)
    with pytest.raises(PlatformUnavailableError):
        guest.collect_bare(BINDING)


@pytest.mark.parametrize("wrong", [{"report_data": b"\x09" * 64}, {"vmpl": 1}])
def test_an_answer_to_another_request_is_detected(wrong: dict[str, Any]) -> None:
    def answer(report_data: bytes, vmpl: int) -> bytes:
        return platform().sign({"report_data": report_data, "vmpl": vmpl} | wrong)

    kernel = PretendedDevice(answer)
    with pytest.raises(AnswerMalformedError):
        SevGuestDevice(7, kernel.ioctl, kernel.pauses.append).collect(BINDING)
    with pytest.raises(AnswerMalformedError):
        ConfigfsPlatform("sixgate-1", ROOT, PretendedConfigfs(answer)).collect(BINDING)


@given(st.binary(max_size=300), st.binary(max_size=2000))
def test_whatever_a_device_answers_is_a_report_or_an_error(report: bytes, found: bytes) -> None:
    kernel = PretendedDevice(lambda *_: report, table=found, size=1184)
    with pytest.raises(CollectionError):
        SevGuestDevice(7, kernel.ioctl, kernel.pauses.append).collect(BINDING)


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"wrong": {"provider": b"tdx_guest\n"}}, PlatformUnavailableError),
        ({"wrong": {"provider": b""}}, PlatformUnavailableError),
        ({"wrong": {"outblob": b""}}, AnswerMalformedError),
        ({"wrong": {"outblob": bytes(1185)}}, AnswerMalformedError),
        ({"wrong": {"auxblob": b"\x01" * 23}}, AnswerMalformedError),
        ({"meddling": True}, AnswerMalformedError),
        ({"failing": {"make": errno.EBUSY}}, PlatformUnavailableError),
        ({"failing": {"inblob": errno.EINVAL}}, PlatformUnavailableError),
        ({"failing": {"outblob": errno.EWOULDBLOCK}}, PlatformUnavailableError),
    ],
)
def test_a_broken_configfs_is_detected_and_its_folder_removed(
    terms: dict[str, Any], error: type[CollectionError]
) -> None:
    kernel, folder = configfs(**terms)
    with pytest.raises(error):
        folder.collect(BINDING)
    assert kernel.folders == set()


def test_configfs_is_asked_for_vmpl_0_and_this_binding() -> None:
    kernel, folder = configfs()
    folder.collect(BINDING)
    assert kernel.written == {"privlevel": b"0", "inblob": BINDING.report_data()}


def test_a_missing_device_is_named(tmp_path: Path) -> None:
    kernel = PretendedDevice(sign)
    missing = tmp_path / "sev-guest"
    with (
        pytest.raises(PlatformUnavailableError, match="sev-guest"),
        open_device(kernel.ioctl, kernel.pauses.append, missing),
    ):
        pass
    with pytest.raises(PlatformUnavailableError):
        ConfigfsPlatform("sixgate-1", tmp_path / "report").collect(BINDING)


def test_an_ordinary_file_as_device_is_detected(tmp_path: Path) -> None:
    """The real ioctl on an ordinary file."""
    import fcntl  # noqa: PLC0415 - only here

    pretended_file = tmp_path / "sev-guest"
    pretended_file.touch()
    pauses: list[float] = []
    with (
        pytest.raises(PlatformUnavailableError),
        open_device(fcntl.ioctl, pauses.append, pretended_file) as guest,
    ):
        guest.collect(BINDING)
