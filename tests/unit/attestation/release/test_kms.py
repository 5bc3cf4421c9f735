"""Custody of a signer without KMS credentials: releases act as root keys."""

import io
import logging
import secrets
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from schemas.keys.release import ReleaseGranted
from schemas.registry.custody import CustodyMode
from signer.attestation.device.platform import PlatformBusyError
from signer.attestation.release.client.kms import Attest, ReleasedKms, ReleaseUnreachableError
from signer.attestation.verify.binding import Binding
from signer.attestation.verify.evidence import Evidence
from signer.custody.buffers import wiping
from signer.custody.context import SecretContext
from signer.custody.custody_modes import PLANS
from signer.custody.errors import (
    Cause,
    CorruptError,
    CustodyError,
    KmsDeniedError,
    KmsKeyDisabledError,
    KmsKeyNotFoundError,
    KmsUnavailableError,
    QuorumError,
)
from signer.custody.kms.port import PLAINTEXT_BYTES_MAX, RootKms
from signer.custody.opening import open_sealed
from signer.custody.sealing import seal
from tests.harness.builders.custody_material import SECRET, LyingKms, Stream
from tests.harness.builders.custody_providers import (
    MODES,
    NAMES,
    PROVIDED,
    Clouds,
    RaisingKms,
    cloud,
    in_mode,
)
from tests.harness.builders.release import (
    BLOB,
    SHARE,
    SHARE_AAD,
    Release,
    attest,
    holder,
    released,
    rs256,
)
from tests.harness.builders.secrecy import shows


def without_credentials() -> tuple[Clouds, dict[str, Release]]:
    """Return one release per holder; the first one holds the vault keys."""
    releases = {name: Release(name) for name in NAMES}
    roots: dict[str, RootKms] = {
        name: released(release, seed=f"signer {name}") for name, release in releases.items()
    }
    return Clouds(roots=roots, root=released(releases[NAMES[0]], seed="signer root")), releases


def wrapped_kek(kms: RootKms, context: SecretContext) -> bytes:
    plan = PLANS[context.mode]
    if not plan.has_vault_key:
        return b""
    with wiping(bytearray(b"k" * 32)) as kek:
        return kms.wrap(kek, context.vault_context.aad())


@pytest.mark.parametrize("mode", MODES)
def test_every_custody_mode_seals_proves_and_opens_through_releases(mode: CustodyMode) -> None:
    used, releases = without_credentials()
    context = in_mode(mode)
    holders = used.holders(mode)
    sealing = seal(holders, wrapped_kek(holders.root, context), context, SECRET, Stream("seal"))
    before = {name: len(release.records) for name, release in releases.items()}
    opening = open_sealed(holders, context, sealing.sealed, sealing.client_share)
    assert opening.secret == SECRET
    assert sum(len(release.records) for release in releases.values()) > sum(before.values())
    records = "".join(record.decode() for one in releases.values() for record in one.records)
    assert shows(records, SECRET) == []


@pytest.mark.parametrize("mode", PROVIDED)
def test_a_new_share_is_proven_by_a_second_exchange(mode: CustodyMode) -> None:
    used, releases = without_credentials()
    seal(used.holders(mode), b"", in_mode(mode), SECRET, Stream("seal"))
    for name in NAMES[: PLANS[mode].providers]:
        wrapped, unwrapped = releases[name].records
        assert b'"operations":["wrap"]' in wrapped
        assert b'"operations":["unwrap"]' in unwrapped


def test_a_provider_that_wraps_another_value_is_detected_before_storage() -> None:
    used, _ = without_credentials()
    lying = LyingKms(cloud("aws"), lambda share: share[:-1] + b"x")
    used.roots["aws"] = released(Release("aws", kms=lying))
    with pytest.raises(QuorumError) as caught:
        seal(used.holders("2of3_multi_hsm"), b"", in_mode("2of3_multi_hsm"), SECRET, Stream())
    assert [(one.provider, one.cause) for one in caught.value.failures] == [("aws", Cause.CORRUPT)]


def test_one_release_alone_opens_no_split_secret() -> None:
    used, releases = without_credentials()
    mode: CustodyMode = "2of3_multi_hsm"
    sealing = seal(used.holders(mode), b"", in_mode(mode), SECRET, Stream())
    for name in NAMES[1:]:
        releases[name].now_ms += 86_400_000  # their policies have expired
    with pytest.raises(QuorumError):
        open_sealed(used.holders(mode), in_mode(mode), sealing.sealed)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KmsUnavailableError("x"), KmsUnavailableError),
        (KmsDeniedError("x"), KmsDeniedError),
        (KmsKeyDisabledError("x"), KmsKeyDisabledError),
        (KmsKeyNotFoundError("x"), KmsKeyNotFoundError),
        (CorruptError("x"), CorruptError),
        (RuntimeError("what no adapter may raise"), KmsUnavailableError),
    ],
)
def test_custody_sees_the_error_of_the_kms(error: CustodyError, kind: type[CustodyError]) -> None:
    kms = RaisingKms(error, cloud("gcp").key_id)
    with pytest.raises(kind) as caught:
        released(Release(kms=kms)).unwrap(BLOB, SHARE_AAD)
    assert "gcp" in str(caught.value)


def test_a_denial_contains_reason_and_code() -> None:
    def debugged(binding: Binding) -> Evidence:
        return attest(binding, policy=0x30000 | 1 << 19)

    with pytest.raises(KmsDeniedError, match=r"evidence_refused \(debug_allowed\)"):
        released(Release(), debugged).unwrap(BLOB, SHARE_AAD)
    with pytest.raises(KmsDeniedError, match=r"token_refused \(token_malformed\)"):
        released(Release(), read_token=lambda: b"").unwrap(BLOB, SHARE_AAD)


@dataclass
class Cut:
    """A transport that changes every message."""

    release: Release
    change: Callable[[bytes], bytes]

    def nonce(self) -> bytes:
        return self.change(self.release.nonce())

    def send(self, request: bytes) -> bytes:
        return self.change(self.release.send(request))


def nothing(_: bytes) -> bytes:
    raise ReleaseUnreachableError


def busy(_: Binding) -> Evidence:
    raise PlatformBusyError("busy")


def through(change: Callable[[bytes], bytes], attesting: Attest = attest) -> ReleasedKms:
    kms = released(Release(), attesting)
    kms._transport = Cut(Release(), change)  # noqa: SLF001 - the port under test
    return kms


def test_an_unreachable_release_and_an_invalid_answer_have_their_errors() -> None:
    with pytest.raises(KmsUnavailableError, match="did not answer"):
        through(nothing).unwrap(BLOB, SHARE_AAD)
    with pytest.raises(KmsUnavailableError, match="no report"):
        released(Release(), busy).unwrap(BLOB, SHARE_AAD)
    for short in (b"", b"n" * 31, b"n" * 65):
        with pytest.raises(KmsUnavailableError):
            through(lambda _, short=short: short).unwrap(BLOB, SHARE_AAD)  # type: ignore[misc]
    with pytest.raises(CorruptError, match=holder("gcp").release):
        through(lambda raw: raw if len(raw) < 100 else b"{}").unwrap(BLOB, SHARE_AAD)


def test_an_answer_signed_by_another_key_than_the_policys_is_refused() -> None:
    kms = released(Release())
    kms._holder = holder("gcp", signing_key=holder("aws").signing_key)  # noqa: SLF001
    with pytest.raises(CorruptError):
        kms.unwrap(BLOB, SHARE_AAD)


def test_an_unknown_context_is_not_sent() -> None:
    release = Release()
    for context in (b"", b"{}", b'{"type":"kms.check","v":1}', SHARE_AAD + b" "):
        with pytest.raises(KmsDeniedError, match="shares and identities"):
            released(release).unwrap(BLOB, context)
    with pytest.raises(ValueError, match="1 to 64 bytes"):
        released(release).wrap(b"x" * 65, SHARE_AAD)
    with pytest.raises(CorruptError):
        released(release).unwrap(b"", SHARE_AAD)
    assert release.records == []


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    root, capture = logging.getLogger(), logging.StreamHandler(stream)
    before = root.level
    root.addHandler(capture)
    root.setLevel(logging.DEBUG)
    yield stream
    root.setLevel(before)
    root.removeHandler(capture)


def test_no_share_and_no_token_shows_in_requests_records_errors_or_logs(
    logged: io.StringIO,
) -> None:
    token, seen = rs256(), io.StringIO()
    release = Release()

    def watched(raw: bytes) -> bytes:
        seen.write(raw.decode(errors="replace"))
        return raw

    @dataclass
    class Watched(Cut):
        def send(self, request: bytes) -> bytes:
            return super().send(watched(request))

    kms = released(release)
    kms._transport = Watched(release, watched)  # noqa: SLF001 - the port under test
    kms.unwrap(kms.wrap(SHARE, SHARE_AAD), SHARE_AAD)
    seen.write("".join(map(bytes.decode, release.records)) + repr(kms) + repr(release.service))
    release.now_ms = 0
    try:
        kms.wrap(SHARE, SHARE_AAD)
    except CustodyError:
        seen.write(traceback.format_exc())
    text = seen.getvalue() + logged.getvalue()
    assert shows(text, SHARE) == []
    for secret in (token.decode(), token.decode().split(".")[1], token.decode().split(".")[2]):
        assert secret not in text


def test_every_size_unwraps_into_a_buffer_that_can_be_wiped() -> None:
    kms = released(Release())
    for size_bytes in (1, 33, PLAINTEXT_BYTES_MAX):
        plaintext = bytes(range(size_bytes))
        blob = kms.wrap(bytearray(plaintext), SHARE_AAD)
        opened = kms.unwrap(blob, SHARE_AAD)
        assert isinstance(opened, bytearray)
        assert opened == plaintext
        assert kms.wrap(plaintext, SHARE_AAD) != blob


def test_many_threads_share_one_release() -> None:
    release = Release(random_bytes=secrets.token_bytes)
    kms = released(release, random_bytes=secrets.token_bytes)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: kms.unwrap(BLOB, SHARE_AAD), range(40)))
    assert found == [SHARE] * 40
    assert len({ReleaseGranted.decode(record).nonce for record in release.records}) == 40


def test_two_exchanges_have_nothing_in_common() -> None:
    """They share no nonce, no ephemeral key and no box, even for the same operation."""
    release = Release()
    kms = released(release)
    for _ in range(2):
        kms.unwrap(BLOB, SHARE_AAD)
    first, second = (unique_parts(record) for record in release.records)
    assert not first & second


def unique_parts(record: bytes) -> set[str]:
    granted = ReleaseGranted.decode(record)
    return {
        granted.nonce,
        granted.asked,
        granted.ephemeral_key,
        granted.report,
        granted.request,
        granted.sealed,
    }
