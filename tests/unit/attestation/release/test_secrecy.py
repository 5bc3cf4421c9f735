"""No object of a release shows a share, token or key when printed, and none can be copied."""

import copy
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from signer.attestation.release.client.exchange import UnwrapRequest, WrapRequest
from signer.attestation.release.client.kms import ReleasedKms, ReleaseUnreachableError
from signer.attestation.release.judge.decision import judge
from signer.attestation.release.judge.nonces import ReleaseNonces
from signer.attestation.release.judge.operations import AllowedRequest
from signer.custody.buffers import wiping
from signer.custody.errors import CustodyError, KmsUnavailableError
from tests.harness.builders.attestation import AT_MS
from tests.harness.builders.custody_material import Stream
from tests.harness.builders.custody_providers import RaisingKms, cloud
from tests.harness.builders.release import (
    BLOB,
    SHARE,
    SHARE_AAD,
    SHARE_PLACE,
    Release,
    exchange,
    release_identity,
    released,
    request,
    rs256,
)
from tests.harness.builders.secrecy import printed, shows

TESTS = str(Path(__file__).parents[3])
EPHEMERAL = Stream("signer")(32)
NONCES = ReleaseNonces(Stream("nonces")(32))
SECRETS = (SHARE, EPHEMERAL, NONCES.secret, b"gcp".ljust(32, b"+"), b"gcp".ljust(32, b"="))


def allowed() -> AllowedRequest:
    state, nonce = NONCES.issue(b"r" * 16, AT_MS)
    wrapping, unwrapping = WrapRequest(SHARE, SHARE_PLACE), UnwrapRequest(BLOB, SHARE_PLACE)
    with exchange(nonce, wrapping, unwrapping) as mine:
        _, judged = judge(request(mine), release_identity(), state, AT_MS)
    assert isinstance(judged, AllowedRequest)
    return judged


def things() -> list[object]:
    mine = exchange(NONCES.issue(b"r" * 16, AT_MS)[1], WrapRequest(SHARE, SHARE_PLACE))
    release = Release()
    found = allowed()
    return [
        mine,
        mine._key,  # noqa: SLF001 - an attacker's look
        found,
        found.calls,
        NONCES,
        release_identity(),
        release,
        release.service,
        released(release),
        WrapRequest(SHARE, SHARE_PLACE),
        UnwrapRequest(BLOB, SHARE_PLACE),
    ]


def token_parts() -> list[str]:
    return rs256().decode().split(".")[1:]


def test_no_object_prints_a_secret() -> None:
    for thing in things():
        text = printed(thing)
        assert shows(text, *SECRETS) == [], type(thing)
        assert not any(part in text for part in token_parts()), type(thing)


def test_plaintexts_are_wiped_after_wrapping() -> None:
    found = allowed()
    (content,) = (one.content for one in found.calls if hasattr(one, "content"))
    assert content == SHARE
    found.wipe()
    assert content == bytes(len(SHARE))


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_objects_with_keys_cannot_be_copied_or_pickled(
    leave: Callable[[object], object],
) -> None:
    mine = exchange(b"\x01" * 32, WrapRequest(SHARE, SHARE_PLACE))
    for keeper in (mine, mine._key, released(Release())):  # noqa: SLF001
        with pytest.raises(TypeError):
            leave(keeper)


class Away(Release):
    """A release that receives a request and never answers."""

    def send(self, request: bytes) -> bytes:
        super().send(request)
        raise ReleaseUnreachableError


def denied() -> ReleasedKms:
    return released(Release(), read_token=lambda: rs256(sub="nobody"))


def down() -> ReleasedKms:
    kms = RaisingKms(KmsUnavailableError("down"), cloud("gcp").key_id)
    return released(Release(kms=kms))


@pytest.mark.parametrize("make", [denied, down, lambda: released(Away())])
def test_no_failure_shows_a_share_or_a_token_even_with_every_local_variable(
    make: Callable[[], ReleasedKms],
) -> None:
    kms = make()

    def wrap() -> None:
        with wiping(bytearray(SHARE)) as share:
            kms.wrap(share, SHARE_AAD)

    for act in (wrap, lambda: kms.unwrap(BLOB, SHARE_AAD)):
        try:
            act()
        except CustodyError as error:
            text = rendered(error)
        else:
            pytest.fail("it did not fail")
        assert "_exchange" in text
        assert shows(text, *SECRETS) == []
        assert not any(part in text for part in token_parts())


def rendered(error: BaseException) -> str:
    """Render error, causes and all local variables of their frames, except the tests' own."""
    shown = []
    seen: BaseException | None = error
    while seen is not None:
        shown.append(repr((seen, seen.args, vars(seen))))
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if not frame.f_code.co_filename.startswith(TESTS):
                shown.append(f"{frame.f_code.co_name} {frame.f_locals!r}")
        seen = seen.__cause__ or seen.__context__
    return "\n".join(shown)
