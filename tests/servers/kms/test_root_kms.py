"""The contract of KMS adapters, tested on all four: software and three clouds' SDKs."""

import logging
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext, suppress

import pytest

from signer.custody.buffers import wiping
from signer.custody.envelope import new_vault_key
from signer.custody.errors import (
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
)
from signer.custody.kms.port import (
    PLAINTEXT_BYTES_MAX,
    KeyState,
    KeyStatus,
    ProtectionLevel,
    ProviderKms,
)
from tests.harness.builders.custody_material import HERE, Stream
from tests.harness.builders.secrecy import rendered, shows
from tests.harness.kms.faults import HANG_S_MAX, Fault
from tests.harness.kms.rigs import (
    AwsRig,
    AzureRig,
    CloudRig,
    GcpRig,
    LocalRig,
)

KEY = bytes.fromhex("8f1d3c5b7a99e0b2c4d6f8012345678998badcfe1032547600112233445566a7")
CONTEXT = b'{"account":"treasury","org":"acme","vault":"main","version":3}'
CLOUDS = ("gcp", "aws", "azure")
SILENT = (Fault.HANG, Fault.DRIP)
UNWRAPPED_S_MAX = 60
LATEST_S = HANG_S_MAX / 2  # generous: the test only checks that it does not wait for the server


def rig_of(name: str, request: pytest.FixtureRequest) -> LocalRig | CloudRig:
    match name:
        case "gcp":
            return GcpRig(request.getfixturevalue("gcp_server"))
        case "aws":
            return AwsRig(request.getfixturevalue("aws_server"))
        case "azure":
            return AzureRig(request.getfixturevalue("azure_server"))
    return LocalRig()


@pytest.fixture(params=["local", *CLOUDS], scope="module")
def rig(request: pytest.FixtureRequest) -> LocalRig | CloudRig:
    return rig_of(request.param, request)


@pytest.fixture(scope="module")
def kms(rig: LocalRig | CloudRig) -> ProviderKms:
    return rig.kms()


@pytest.fixture(params=CLOUDS, scope="module")
def shared(request: pytest.FixtureRequest) -> CloudRig:
    found = rig_of(request.param, request)
    assert isinstance(found, CloudRig)
    return found


@pytest.fixture
def cloud(shared: CloudRig) -> CloudRig:
    """Yield a cloud whose keys no test changes: making keys takes longer than most tests."""
    shared.take_time()
    return shared


@pytest.fixture(params=CLOUDS)
def fresh(request: pytest.FixtureRequest) -> CloudRig:
    """Return a cloud with keys that a test may disable or destroy."""
    found = rig_of(request.param, request)
    assert isinstance(found, CloudRig)
    return found


class TestEveryKms:
    def test_unwraps_every_supported_size(self, kms: ProviderKms) -> None:
        for size_bytes in range(1, PLAINTEXT_BYTES_MAX + 1):
            plaintext = bytes(range(size_bytes))
            wrapped = kms.wrap(bytearray(plaintext), CONTEXT)
            assert kms.unwrap(wrapped, CONTEXT) == plaintext

    @pytest.mark.parametrize("size_bytes", [0, PLAINTEXT_BYTES_MAX + 1, 191])
    def test_refuses_unsupported_sizes(self, kms: ProviderKms, size_bytes: int) -> None:
        with pytest.raises(ValueError, match="1 to 64 bytes"):
            kms.wrap(bytes(size_bytes), CONTEXT)

    def test_returns_a_buffer_that_can_be_wiped(self, kms: ProviderKms) -> None:
        assert isinstance(kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT), bytearray)

    def test_never_wraps_to_the_same_blob_twice(self, kms: ProviderKms) -> None:
        assert kms.wrap(KEY, CONTEXT) != kms.wrap(KEY, CONTEXT)

    def test_the_blob_does_not_contain_the_plaintext(self, kms: ProviderKms) -> None:
        blob = kms.wrap(KEY, CONTEXT)
        assert KEY not in blob
        assert CONTEXT not in blob

    @pytest.mark.parametrize(
        "context", [b"", b"{}", CONTEXT + b" ", CONTEXT.upper(), CONTEXT.replace(b"3", b'"3"')]
    )
    def test_refuses_another_context(self, kms: ProviderKms, context: bytes) -> None:
        wrapped = kms.wrap(KEY, CONTEXT)
        with pytest.raises(CorruptError):
            kms.unwrap(wrapped, context)

    @pytest.mark.parametrize("context", [b"", b"\xff", b"[1]", b'{"":"","a":"\xc3\xa9"}'])
    def test_binds_a_context_that_is_not_canonical(self, kms: ProviderKms, context: bytes) -> None:
        wrapped = kms.wrap(KEY, context)
        assert kms.unwrap(wrapped, context) == KEY
        with pytest.raises(CorruptError):
            kms.unwrap(wrapped, CONTEXT)

    def test_refuses_a_bit_changed_in_every_byte(self, kms: ProviderKms) -> None:
        wrapped = kms.wrap(KEY, CONTEXT)
        for place in range(len(wrapped)):
            changed = bytearray(wrapped)
            changed[place] ^= 1 << place % 8
            with pytest.raises((CorruptError, KmsKeyNotFoundError)):
                kms.unwrap(bytes(changed), CONTEXT)

    def test_refuses_truncations_and_extensions(self, kms: ProviderKms) -> None:
        wrapped = kms.wrap(KEY, CONTEXT)
        cut = [wrapped[:size] for size in range(0, len(wrapped), 7)] + [wrapped[:-1]]
        for blob in [*cut, wrapped + b"\x00", bytes(6145)]:
            with pytest.raises(CorruptError):
                kms.unwrap(blob, CONTEXT)

    def test_refuses_the_blob_of_another_root(self, rig: LocalRig | CloudRig) -> None:
        wrapped = rig.other_kms().wrap(KEY, CONTEXT)
        with pytest.raises((KmsKeyNotFoundError, CorruptError)):
            rig.kms().unwrap(wrapped, CONTEXT)

    def test_its_name_is_stable_and_unique(self, rig: LocalRig | CloudRig) -> None:
        assert rig.kms().key_id == rig.kms().key_id
        assert rig.kms().key_id != rig.other_kms().key_id
        assert 0 < len(rig.kms().key_id) <= 256
        assert rig.kms().key_id in repr(rig.kms())

    def test_serves_several_threads_at_once(self, kms: ProviderKms) -> None:
        def round_trip(number: int) -> bool:
            plaintext, context = bytes([number]) * 32, b'{"version":%d}' % number
            return bytes(kms.unwrap(kms.wrap(plaintext, context), context)) == plaintext

        with ThreadPoolExecutor(4) as threads:
            assert all(threads.map(round_trip, range(16)))

    def test_another_process_can_unwrap(self, rig: LocalRig | CloudRig) -> None:
        assert rig.kms().unwrap(rig.kms().wrap(KEY, CONTEXT), CONTEXT) == KEY


class TestEveryCloud:
    def test_reports_protection_and_state_of_a_key(self, cloud: CloudRig) -> None:
        assert cloud.kms().check() == KeyStatus(KeyState.ENABLED, ProtectionLevel.HSM)
        software = cloud.at(cloud.software_key())
        assert software.check().protection is ProtectionLevel.SOFTWARE

    def test_a_disabled_key_is_disabled_until_it_is_enabled(self, fresh: CloudRig) -> None:
        kms = fresh.kms()
        wrapped = kms.wrap(KEY, CONTEXT)
        fresh.server.disable(fresh.key)
        assert kms.check().state is KeyState.DISABLED
        with pytest.raises(KmsKeyDisabledError):
            kms.wrap(KEY, CONTEXT)
        with pytest.raises(KmsKeyDisabledError):
            kms.unwrap(wrapped, CONTEXT)
        fresh.server.enable(fresh.key)
        assert kms.unwrap(wrapped, CONTEXT) == KEY

    def test_a_destroyed_key_is_reported(self, fresh: CloudRig) -> None:
        kms = fresh.kms()
        wrapped = kms.wrap(KEY, CONTEXT)
        fresh.server.destroy(fresh.key)
        gone = KmsKeyNotFoundError if isinstance(fresh, AzureRig) else KmsKeyDisabledError
        with pytest.raises(gone):
            kms.wrap(KEY, CONTEXT)
        with pytest.raises(gone):
            kms.unwrap(wrapped, CONTEXT)
        if gone is KmsKeyDisabledError:
            assert kms.check().state is KeyState.DESTROYED

    def test_a_missing_key_is_not_found(self, fresh: CloudRig) -> None:
        kms = fresh.kms()
        wrapped = kms.wrap(KEY, CONTEXT)
        fresh.server.forget(fresh.key)
        for failing in attempts(kms, wrapped):
            with pytest.raises(KmsKeyNotFoundError):
                failing()

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            (Fault.DENY, KmsDeniedError),
            (Fault.THROTTLE, KmsUnavailableError),
            (Fault.FAIL, KmsUnavailableError),
            (Fault.CLOSE, KmsUnavailableError),
            (Fault.GARBAGE, KmsUnavailableError),
            (Fault.HANG, KmsUnavailableError),
            (Fault.DRIP, KmsUnavailableError),
        ],
    )
    def test_each_failure_has_its_type_is_raised_in_time_and_ends(
        self, cloud: CloudRig, fault: Fault, kind: type[CustodyError]
    ) -> None:
        kms, wrapped = opened_for(cloud, fault)
        with cloud.server.faults.on(fault):
            for failing in attempts(kms, wrapped):
                began_s = time.monotonic()
                with pytest.raises(kind):
                    failing()
                assert time.monotonic() - began_s < LATEST_S
        assert unwrapped_at_last(kms, wrapped) == KEY

    @pytest.mark.parametrize("fault", [Fault.CLOSE, Fault.FAIL, Fault.THROTTLE])
    def test_a_failed_call_is_not_retried(self, cloud: CloudRig, fault: Fault) -> None:
        kms = cloud.kms()
        wrapped = kms.wrap(KEY, CONTEXT)
        assert kms.unwrap(wrapped, CONTEXT) == KEY
        faults = cloud.server.faults
        before = faults.asked
        with faults.on(fault), pytest.raises(KmsUnavailableError):
            kms.unwrap(wrapped, CONTEXT)
        assert faults.asked == before + 1

    def test_a_slow_server_is_waited_for(self, cloud: CloudRig) -> None:
        with cloud.server.faults.on(Fault.LATE):
            kms = cloud.kms()
            assert kms.unwrap(kms.wrap(KEY, CONTEXT), CONTEXT) == KEY

    def test_a_closed_port_is_unavailable(self, cloud: CloudRig) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(KmsUnavailableError):
            cloud.at(cloud.key, port).check()

    def test_a_server_that_accepts_but_never_answers_is_unavailable(self, cloud: CloudRig) -> None:
        cloud.hurry()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            began_s = time.monotonic()
            with pytest.raises(KmsUnavailableError):
                cloud.at(cloud.key, listener.getsockname()[1]).check()
            assert time.monotonic() - began_s < LATEST_S

    def test_a_black_hole_is_unavailable_in_time(self, cloud: CloudRig) -> None:
        cloud.hurry()
        with black_hole() as port:
            began_s = time.monotonic()
            with pytest.raises(KmsUnavailableError):
                cloud.at(cloud.key, port).check()
            assert time.monotonic() - began_s < LATEST_S

    def test_an_answer_for_another_key_is_corrupt(self, cloud: CloudRig) -> None:
        kms = cloud.kms()
        wrapped = kms.wrap(KEY, CONTEXT)
        assert kms.unwrap(wrapped, CONTEXT) == KEY  # so that the client has cached its key
        with cloud.server.faults.on(Fault.OTHER_KEY):
            with pytest.raises(CorruptError):
                kms.check()
            with pytest.raises(CorruptError):
                kms.wrap(KEY, CONTEXT)
            if not isinstance(cloud, GcpRig):  # whose reply to Decrypt has no key name
                with pytest.raises(CorruptError):
                    kms.unwrap(wrapped, CONTEXT)
        assert kms.unwrap(wrapped, CONTEXT) == KEY  # a lie is not remembered

    def test_a_kms_that_gives_another_plaintext_makes_no_vault(self, cloud: CloudRig) -> None:
        with cloud.server.faults.on(Fault.OTHER_PLAINTEXT), pytest.raises(CorruptError):
            new_vault_key(cloud.kms(), HERE.vault_context, Stream())

    @pytest.mark.parametrize("fault", [None, *Fault])
    def test_no_error_or_log_shows_the_key(
        self, cloud: CloudRig, fault: Fault | None, caplog: pytest.LogCaptureFixture
    ) -> None:
        kms, wrapped = opened_for(cloud, fault)
        output = repr(kms)
        with every_logger_at_debug(caplog.handler), caplog.at_level(logging.DEBUG):
            logging.getLogger("tests").debug("the log is read")
            with cloud.server.faults.on(fault) if fault else nullcontext():
                for attempt in attempts(kms, wrapped):
                    try:
                        attempt()
                    except CustodyError as error:
                        output += rendered(error)
        output += caplog.text + "".join(str(vars(record)) for record in caplog.records)
        assert "the log is read" in output
        assert shows(output, KEY) == []


def opened_for(cloud: CloudRig, fault: Fault | None) -> tuple[ProviderKms, bytes]:
    """Return an adapter for a test with a fault, and a blob that it wrapped before."""
    wrapped = cloud.kept().wrap(KEY, CONTEXT)
    if fault in SILENT:
        cloud.hurry()
    return cloud.kms(), wrapped


def unwrapped_at_last(kms: ProviderKms, wrapped: bytes) -> bytearray:
    """Unwrap; retry if the short timeout was too short for a busy machine."""
    ends_at_s = time.monotonic() + UNWRAPPED_S_MAX
    while time.monotonic() < ends_at_s:
        with suppress(KmsUnavailableError):
            return kms.unwrap(wrapped, CONTEXT)
    return kms.unwrap(wrapped, CONTEXT)


@contextmanager
def black_hole() -> Iterator[int]:
    """Yield a port whose queue is full, so that the kernel answers no further connection."""
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def attempts(kms: ProviderKms, wrapped: bytes) -> list[Callable[[], object]]:
    """Every operation of a KMS, as the envelope uses it."""

    def wrap() -> bytes:
        with wiping(bytearray(KEY)) as key:
            return kms.wrap(key, CONTEXT)

    return [kms.check, wrap, lambda: kms.unwrap(wrapped, CONTEXT)]


@contextmanager
def every_logger_at_debug(handler: logging.Handler) -> Iterator[None]:
    """Switch on every library's debug log, as someone does who looks for a fault."""
    loggers = [logging.getLogger(name) for name in logging.Logger.manager.loggerDict]
    before = [(logger, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        if not logger.propagate:  # Google's do not
            logger.addHandler(handler)
    try:
        yield
    finally:
        for logger, level, propagate in before:
            logger.setLevel(level)
            if not propagate:
                logger.removeHandler(handler)
